"""Each requantisation against the same arithmetic in Python's unbounded integers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from htvm.ir.dtype import DType
from htvm.ir.requant import FloatRequant, Mulshift31Requant, ShiftRequant, TfliteRequant
from htvm.numerics import apply

INT8 = {"out": DType.INT8, "lo": -128, "hi": 127}
accumulators = st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=30)
quick = settings(derandomize=True, max_examples=150, deadline=None)


def clip(value, lo=-128, hi=127):
    return min(max(value, lo), hi)


def ints(*values):
    return np.array(values, dtype=np.int64)


def check(op, acc, expected):
    result = apply(op, np.array(acc, dtype=np.int32))
    assert result.dtype == op.out.numpy
    assert result.tolist() == [expected(value) for value in acc]


@quick
@given(accumulators, st.integers(-(2**30), 2**30), st.integers(-(2**61), 2**61), st.integers(0, 63))
def test_shift_floors(acc, mul, add, shift):
    op = ShiftRequant(**INT8, mul=ints(mul), add=ints(add), shift=ints(shift))
    check(op, acc, lambda value: clip((value * mul + add) >> shift))


@quick
@given(accumulators, st.integers(0, 2**31 - 1), st.integers(1, 62), st.integers(-128, 127))
def test_mulshift31_rounds_half_up(acc, mul, shift, zero_point):
    op = Mulshift31Requant(**INT8, mul=ints(mul), shift=ints(shift), zero_point=zero_point)
    check(op, acc, lambda v: clip(((v * mul + (1 << (shift - 1))) >> shift) + zero_point))


def half_away(value: Fraction) -> int:
    magnitude = int(abs(value) + Fraction(1, 2))
    return magnitude if value > 0 else -magnitude


def tflite(value, mul, exponent, zero_point):
    wrapped = (value * 2 ** max(exponent, 0) + 2**31) % 2**32 - 2**31
    product = wrapped * mul
    # The high multiply adds its nudge and truncates: ties go up for either sign.
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    high = min(int(Fraction(nudged, 2**31)), 2**31 - 1)
    return clip(half_away(Fraction(high, 2 ** max(-exponent, 0))) + zero_point)


@quick
@given(accumulators, st.integers(-(2**31), 2**31 - 1), st.integers(-31, 8), st.integers(-128, 127))
@example([-(2**31)], -(2**31), 0, 0)
@example([2**31 - 1], 2**31 - 1, -31, 0)
def test_tflite_rounds_twice(acc, mul, exponent, zero_point):
    op = TfliteRequant(**INT8, mul=ints(mul), exponent=ints(exponent), zero_point=zero_point)
    check(op, acc, lambda value: tflite(value, mul, exponent, zero_point))


def test_tflite_rescales_elementwise_inputs():
    op = TfliteRequant(
        out=DType.INT32, lo=-(2**31), hi=2**31 - 1, mul=ints(2**30), exponent=ints(0),
        zero_point=0, input_zero_point=-128, left_shift=20,
    )  # fmt: skip
    result = apply(op, np.array([-128, 0, 127], dtype=np.int8))
    assert result.tolist() == [0, 128 << 19, 255 << 19]


def round_to_even(value: Fraction, bits: int) -> Fraction:
    """``value`` to ``bits`` significant bits, as float32 would hold it were its range unbounded."""
    power = 0
    magnitude = abs(value)
    while magnitude >= 2**bits:
        magnitude, power = magnitude / 2, power + 1
    while magnitude and magnitude < 2 ** (bits - 1):
        magnitude, power = magnitude * 2, power - 1
    return Fraction(round(magnitude)) * Fraction(2) ** power * (1 if value >= 0 else -1)


def textbook_float(value, scale, zero_point):
    product = round_to_even(round_to_even(Fraction(value), 24) * Fraction(scale), 24)
    return clip(round(product) + zero_point)


scales = st.one_of(
    st.floats(2**-40, 2**12, width=32),
    st.integers(-40, 8).map(lambda power: 2.0**power),
    st.floats(-1, -(2**-12), width=32),
)


@pytest.mark.parametrize("emulated", [False, True])
@quick
@given(accumulators, scales, st.integers(-128, 127))
def test_float_rounds_each_step(emulated, acc, scale, zero_point):
    op = FloatRequant(
        **INT8, scale=np.array([scale], np.float32), zero_point=zero_point, emulated=emulated
    )
    check(op, acc, lambda value: textbook_float(value, scale, zero_point))


@pytest.mark.parametrize("power", range(-36, 4))
def test_emulation_equals_float32(power):
    generator = np.random.default_rng(power + 100)
    near_ties = (generator.integers(-300, 300, 4000) * 2.0 ** (-power - 1)).clip(
        -(2**31), 2**31 - 1
    )
    acc = np.concatenate(
        [
            generator.integers(-(2**31), 2**31, 4000),
            generator.integers(-(2**14), 2**14, 2000),
            near_ties.astype(np.int64),
            [-(2**31), 2**31 - 1, 0],
        ]
    ).astype(np.int32)
    for mantissa in (1.0, 1.5, generator.uniform(1, 2), generator.uniform(1, 2)):
        common = {**INT8, "scale": np.array([mantissa * 2.0**power], np.float32), "zero_point": 3}
        exact = apply(FloatRequant(**common), acc)
        emulated = apply(FloatRequant(**common, emulated=True), acc)
        np.testing.assert_array_equal(emulated, exact)


@pytest.mark.parametrize("axis", [1, 3])
def test_parameters_follow_their_axis(axis):
    acc = np.ones((2, 3, 4, 3), dtype=np.int32)
    op = ShiftRequant(
        out=DType.UINT8,
        lo=0,
        hi=255,
        axis=axis,
        mul=ints(1, 2, 3),
        add=ints(0, 0, 4),
        shift=ints(0, 1, 0),
    )
    result = np.moveaxis(apply(op, acc), axis, -1)
    assert (result == [1, 1, 7]).all()


def test_an_absorbed_relu6_narrows_the_clip():
    op = ShiftRequant(out=DType.INT8, lo=0, hi=6, mul=ints(1), add=ints(0), shift=ints(0))
    assert apply(op, np.array([-5, 3, 9], np.int32)).tolist() == [0, 3, 6]
