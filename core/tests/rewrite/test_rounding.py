"""Additions and shifts against the arithmetics they are to equal, accumulator by accumulator."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from htvm.ir.dtype import DType
from htvm.ir.requant import FloatRequant, Mulshift31Requant, TfliteRequant
from htvm.rewrite.ranges import Reach
from htvm.rewrite.rounding import Misfit, Shift, one_shift, two_shifts
from htvm.rewrite.staircase import NEVER, chained, staircase
from htvm.target.contract import Contract

SHIFT_ONLY = Contract(ops=("dense",), input_types=(DType.INT8,))
WITH_MULTIPLIER = Contract(
    ops=("dense",), input_types=(DType.INT8,), multiplier="tensor", multiplier_bits=(8, 16, 31)
)
LEVELS = (-128, 127)


def reaching(least, most, step=1):
    return Reach(least=np.array([least]), most=np.array([most]), step=np.array([step]))


def everything(reach):
    return np.arange(reach.least[0], reach.most[0] + 1, reach.step[0])[None]


def half_even(scale, zero_point=0):
    scale = np.array([scale], np.float32)
    return FloatRequant(out=DType.INT8, lo=-128, hi=127, scale=scale, zero_point=zero_point)


def steps(op, reach, levels=LEVELS):
    return staircase(chained([op], np.dtype(np.int32)), reach, levels)


def shifted(found, acc, levels=LEVELS):
    return np.clip((acc * found.mul + found.add) >> found.shift, *levels)


def arithmetics():
    n = st.integers(0, 12)
    return st.one_of(
        st.builds(lambda n, z: half_even(2.0**-n, z), n, st.integers(-128, 127)),
        st.builds(half_even, st.floats(0.001, 1.5)),
        st.builds(
            lambda mul, exponent: TfliteRequant(
                out=DType.INT8,
                lo=-128,
                hi=127,
                mul=np.array([mul]),
                exponent=np.array([exponent]),
                zero_point=3,
            ),
            st.sampled_from([2**30, 1518500250, 2**31 - 1]),
            st.integers(-10, 1),
        ),
        st.builds(
            lambda mul, shift: Mulshift31Requant(
                out=DType.INT8,
                lo=-100,
                hi=90,
                mul=np.array([mul]),
                shift=np.array([shift]),
                zero_point=-5,
            ),
            st.sampled_from([2**30, 1518500250]),
            st.integers(30, 40),
        ),
    )


def reaches():
    return st.builds(
        lambda least, count, step: reaching(least, least + count * step, step),
        st.integers(-4000, 3000),
        st.integers(0, 3000),
        st.sampled_from([1, 1, 2, 3, 8, 64]),
    )


@settings(derandomize=True, max_examples=120, deadline=None)
@given(arithmetics(), reaches())
def test_a_staircase_holds_every_step(op, reach):
    acc = everything(reach)
    results = chained([op], np.dtype(np.int32))(acc)
    stairs = steps(op, reach)
    for level, below, above in zip(stairs.levels, stairs.below[0], stairs.above[0], strict=True):
        less, enough = acc[results < level], acc[results >= level]
        assert below == (less.max() if less.size else -NEVER)
        assert above == (enough.min() if enough.size else NEVER)


@pytest.mark.parametrize("contract", [SHIFT_ONLY, WITH_MULTIPLIER], ids=["shift", "multiplier"])
@settings(derandomize=True, max_examples=120, deadline=None)
@given(arithmetics(), reaches())
def test_one_shift_equals_what_it_replaces(contract, op, reach):
    slopes = np.array([float(op.scale[0])]) if isinstance(op, FloatRequant) else None
    found = one_shift(steps(op, reach), contract, slopes)
    assume(isinstance(found, Shift))
    acc = everything(reach)
    np.testing.assert_array_equal(shifted(found, acc), chained([op], np.dtype(np.int32))(acc))


@settings(derandomize=True, max_examples=120, deadline=None)
@given(arithmetics(), reaches())
def test_the_mean_of_two_shifts_equals_what_it_replaces(op, reach):
    found = two_shifts(steps(op, reach), SHIFT_ONLY)
    assume(not isinstance(found, Misfit))
    acc = everything(reach)
    up, down = (shifted(way, acc) for way in found)
    mean = np.rint((up + down) / 2)
    np.testing.assert_array_equal(mean, chained([op], np.dtype(np.int32))(acc))


@pytest.mark.parametrize("halvings", range(1, 12))
def test_half_to_even_of_a_power_of_two_takes_two_shifts(halvings):
    op, reach = half_even(2.0**-halvings), reaching(-5000, 5000)
    assert isinstance(one_shift(steps(op, reach), SHIFT_ONLY), Misfit)
    up, down = two_shifts(steps(op, reach), SHIFT_ONLY)
    assert (up.add - down.add, up.shift, down.shift) == (1, halvings, halvings)


def test_ties_that_no_accumulator_meets_do_not_count():
    op = half_even(1 / 8)
    assert isinstance(one_shift(steps(op, reaching(-999, 999)), SHIFT_ONLY), Misfit)
    odd = one_shift(steps(op, reaching(-999, 999, 2)), SHIFT_ONLY)
    assert odd.shift.tolist() == [3]
    one_tie = one_shift(steps(op, reaching(5, 19)), SHIFT_ONLY)
    np.testing.assert_array_equal(
        shifted(one_tie, np.arange(5, 20)[None])[0], np.rint(np.arange(5, 20) / 8)
    )


def test_a_real_scale_fits_a_multiplier_but_no_shift():
    op, reach = half_even(0.0123), reaching(-9000, 9000)
    slopes = np.array([0.0123])
    assert isinstance(one_shift(steps(op, reach), SHIFT_ONLY, slopes), Misfit)
    found = one_shift(steps(op, reach), WITH_MULTIPLIER, slopes)
    assert isinstance(found, Shift)


def test_a_misfit_names_channel_results_and_addends():
    misfit = one_shift(steps(half_even(1 / 8), reaching(-99, 99)), SHIFT_ONLY)
    assert misfit.text == (
        "with shift 3 channel 0 would have to add at least 4, for accumulator -84 to give -10, and "
        "at most 3, for -92 to give less than -11"
    )
