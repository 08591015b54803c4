import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.ir.dtype import DType
from htvm.ir.requant import ShiftRequant
from htvm.target.contract import Contract
from htvm.target.folding import Folded, Unfoldable, accumulator_range, fold

SHIFT_ONLY = Contract(ops=("dense",), input_types=(DType.INT8,))
"""int8 weights, an int32 bias and one shift of 0..31 for all channels, floor."""


def shift_requant(shift, *, mul=(1,), add=(0,), lo=-128, hi=127, axis=None):
    mul, add, shift = (np.atleast_1d(np.array(values, np.int64)) for values in (mul, add, shift))
    return ShiftRequant(out=DType.INT8, lo=lo, hi=hi, axis=axis, mul=mul, add=add, shift=shift)


def source(weights, bias, op, x):
    """The source's results for columns of inputs ``x``."""
    acc = weights.astype(np.int64) @ x + bias[:, None]
    mul, add, shift = (np.reshape(values, (-1, 1)) for values in (op.mul, op.add, op.shift))
    return np.clip((acc * mul + add) >> shift, op.lo, op.hi)


def engine(folded, x, *, rounding="floor"):
    """The results of an engine with a contract."""
    mul, bias, shift = (values[:, None] for values in (folded.mul, folded.bias, folded.shift))
    half = (1 << shift) >> 1 if rounding == "half-up" else 0
    return np.clip(((folded.weights @ x) * mul + bias + half) >> shift, *folded.clip)


@st.composite
def layers(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    outputs, inputs = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    reach = draw(st.sampled_from([1, 15, 127]))
    weights = rng.integers(-reach, reach + 1, (outputs, inputs)).astype(np.int8)
    weights *= np.int8(draw(st.sampled_from([1, 0, 1])))
    channels = draw(st.sampled_from([1, outputs]))
    mul = rng.choice([1, 2, 4, -1, 3, 0], channels)
    shift = rng.integers(0, draw(st.sampled_from([1, 3, 40])), channels)
    add = rng.integers(-(2 ** draw(st.integers(1, 30))), 2**20, channels)
    op = shift_requant(shift, mul=mul, add=add, lo=draw(st.sampled_from([-128, 0])), axis=0)
    bias = rng.integers(-(2**20), 2**20, outputs).astype(np.int32)
    return weights, bias, op, rng.integers(-128, 128, (inputs, 50))


OTHERS = (
    Contract(
        ops=("dense",),
        input_types=(DType.INT8,),
        multiplier="channel",
        multiplier_bits=(8, 16),
        shift="channel",
    ),
    Contract(
        ops=("dense",),
        input_types=(DType.INT8,),
        multiplier="tensor",
        multiplier_bits=(-16,),
        rounding="half-up",
        product_bits=64,
    ),
)


@pytest.mark.parametrize("contract", OTHERS)
@settings(derandomize=True, max_examples=200, deadline=None)
@given(layers())
def test_multipliers_of_a_contract_are_used(contract, layer):
    weights, bias, op, x = layer
    folded = fold(weights, bias, op, contract)
    if isinstance(folded, Folded):
        results = engine(folded, x, rounding=contract.rounding)
        assert np.array_equal(results, source(weights, bias, op, x))
        least, greatest = contract.multiplier_range
        assert np.all((folded.mul >= least) & (folded.mul <= greatest))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(layers())
def test_folding_changes_no_result(layer):
    weights, bias, op, x = layer
    folded = fold(weights, bias, op, SHIFT_ONLY)
    if isinstance(folded, Folded):
        assert np.array_equal(engine(folded, x), source(weights, bias, op, x))
        assert np.all((folded.shift >= 0) & (folded.shift <= 31))
        assert np.unique(folded.shift).size == 1
        assert np.abs(folded.weights).max(initial=0) <= 128


def test_a_plain_layer_folds_to_itself():
    weights = np.array([[3, -4]], np.int8)
    folded = fold(weights, np.array([100], np.int32), shift_requant(5, add=[16]), SHIFT_ONLY)
    assert np.array_equal(folded.weights, weights)
    assert folded.bias.tolist() == [116]
    assert folded.shift.tolist() == [5]


@pytest.mark.parametrize(
    ("mul", "shift", "weights", "bias"),
    [
        ([2, 2], [6, 6], [[6, 8], [-10, 2]], [14, 6]),
        ([4, 1], [8, 8], [[12, 16], [-5, 1]], [28, 3]),
        ([-1, 1], [4, 4], [[-3, -4], [-5, 1]], [-7, 3]),
        ([1, 1], [4, 5], [[6, 8], [-5, 1]], [14, 3]),
    ],
)
def test_multipliers_and_shifts_move_into_the_weights(mul, shift, weights, bias):
    op = shift_requant(shift, mul=mul, add=[0, 0], axis=0)
    folded = fold(np.array([[3, 4], [-5, 1]], np.int8), np.array([7, 3], np.int32), op, SHIFT_ONLY)
    assert folded.weights.tolist() == weights
    assert folded.bias.tolist() == bias


def test_shifts_beyond_the_limit_come_down_when_weights_allow():
    op = shift_requant([33])
    folded = fold(np.array([[8]], np.int8), None, op, SHIFT_ONLY)
    assert np.all(folded.shift <= 31)
    assert np.array_equal(engine(folded, np.arange(-128, 128)[None]), [[-1] * 128 + [0] * 128])


@pytest.mark.parametrize(
    ("weights", "bias", "op", "seen"),
    [
        ([[1]], [0], shift_requant(33), "shift 33"),
        ([[101]], [0], shift_requant(4, mul=[3]), "multiplier 3"),
        ([[101], [1]], [0, 0], shift_requant([4, 6], axis=0), "shift 4..6"),
        ([[127]], [2**31 - 1], shift_requant(4), "accumulator can wrap"),
        ([[127]], [0], shift_requant(4, add=[2**31]), "leave int32: channel 0 reaches"),
        ([[1]], [0], shift_requant(4, mul=[2**40]), "wider"),
        ([[1]], [2**30], shift_requant(4, mul=[2**30]), "before the shift"),
    ],
)
def test_what_cannot_fold_says_why(weights, bias, op, seen):
    folded = fold(np.array(weights, np.int8), np.array(bias, np.int32), op, SHIFT_ONLY)
    assert isinstance(folded, Unfoldable)
    assert seen in folded.seen


def test_the_range_is_that_of_the_worst_input():
    least, greatest = accumulator_range(np.array([[1, -2]]), np.array([10]))
    assert least.tolist() == [10 - 128 - 254]
    assert greatest.tolist() == [10 + 127 + 256]
