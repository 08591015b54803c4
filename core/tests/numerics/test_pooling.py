from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.ir.ops import AvgPool2d, MaxPool2d, ReduceSum, SumPool2d
from htvm.numerics import apply


def windows(op, x):
    """For each output position, its elements inside the image."""
    top, left, bottom, right = op.pad
    height, width = x.shape[2:]
    oh = (height + top + bottom - op.kernel[0]) // op.stride[0] + 1
    ow = (width + left + right - op.kernel[1]) // op.stride[1] + 1
    for i, j in product(range(oh), range(ow)):
        row, column = i * op.stride[0] - top, j * op.stride[1] - left
        rows = slice(max(row, 0), row + op.kernel[0])
        columns = slice(max(column, 0), column + op.kernel[1])
        yield i, j, x[:, :, rows, columns]


def naive_average(values):
    """TFLite's rounding in Python integers."""
    total, count = sum(values), len(values)
    magnitude = (abs(total) + count // 2) // count
    return magnitude if total > 0 else -magnitude


@st.composite
def pools(draw):
    # A pad smaller than the kernel keeps at least one element in every window.
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 4)))
    pad = tuple(draw(st.integers(0, kernel[axis] - 1)) for axis in (0, 1, 0, 1))
    dtype = draw(st.sampled_from([np.int8, np.uint8]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    bounds = np.iinfo(dtype)
    x = generator.integers(bounds.min, bounds.max, (2, 2, 6, 5), dtype=dtype, endpoint=True)
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    return {"kernel": kernel, "stride": stride, "pad": pad}, x


@settings(derandomize=True, max_examples=60, deadline=None)
@given(pools())
def test_pools_follow_their_windows(case):
    attributes, x = case
    bounds = np.iinfo(x.dtype)
    greatest = apply(MaxPool2d(**attributes), x)
    sums = apply(SumPool2d(**attributes, input_zero_point=3), x)
    op = AvgPool2d(**attributes, lo=int(bounds.min) + 5, hi=100)
    averages = apply(op, x)
    for i, j, window in windows(op, x):
        for n, c in product(range(2), range(2)):
            values = [int(v) for v in window[n, c].ravel()]
            assert greatest[n, c, i, j] == max(values)
            assert sums[n, c, i, j] == sum(values) - 3 * len(values)
            assert averages[n, c, i, j] == min(max(naive_average(values), op.lo), op.hi)
    assert (greatest.dtype, sums.dtype, averages.dtype) == (x.dtype, np.int32, x.dtype)


@pytest.mark.parametrize(
    ("values", "mean"), [((1, 2), 2), ((-1, -2), -2), ((0, -1), -1), ((0, 1), 1)]
)
def test_average_pool_rounds_half_away_from_zero(values, mean):
    x = np.array(values, dtype=np.int8).reshape(1, 1, 1, 2)
    assert apply(AvgPool2d(kernel=(1, 2), stride=(1, 1)), x).item() == mean


def test_max_pool_of_floats_ignores_padding():
    x = np.full((1, 1, 2, 2), -3.5, dtype=np.float32)
    result = apply(MaxPool2d(kernel=(2, 2), stride=(1, 1), pad=(1, 1, 1, 1)), x)
    assert (result == np.float32(-3.5)).all()


def test_reduce_sum_subtracts_the_zero_point_of_each_element():
    x = np.arange(24, dtype=np.uint8).reshape(1, 2, 3, 4)
    result = apply(ReduceSum(axes=(2, 3), keepdims=False, input_zero_point=2), x)
    np.testing.assert_array_equal(result, [[66 - 24, 210 - 24]])
    assert result.dtype == np.int32
