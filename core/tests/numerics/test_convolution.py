from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.ir.ops import Conv2d, Dense, MatMul
from htvm.numerics import apply


def naive_conv2d(op, x, w, b):
    """Every multiply-accumulate in Python integers."""
    top, left, bottom, right = op.pad
    samples, _, height, width = x.shape
    outputs, depth, kh, kw = w.shape
    oh = (height + top + bottom - (kh - 1) * op.dilation[0] - 1) // op.stride[0] + 1
    ow = (width + left + right - (kw - 1) * op.dilation[1] - 1) // op.stride[1] + 1
    result = np.empty((samples, outputs, oh, ow), dtype=np.int64)
    for n, k, i, j in product(*map(range, result.shape)):
        group = k // (outputs // op.groups)
        total = int(b[k])
        for c, p, q in product(range(depth), range(kh), range(kw)):
            row = i * op.stride[0] - top + p * op.dilation[0]
            column = j * op.stride[1] - left + q * op.dilation[1]
            if 0 <= row < height and 0 <= column < width:
                value = int(x[n, group * depth + c, row, column]) - op.input_zero_point
                total += value * (int(w[k, c, p, q]) - op.weight_zero_point)
        result[n, k, i, j] = (total + 2**31) % 2**32 - 2**31
    return result


def integers(generator, dtype, shape):
    bounds = np.iinfo(dtype)
    return generator.integers(bounds.min, bounds.max, shape, dtype=dtype, endpoint=True)


@st.composite
def convolutions(draw):
    small = st.integers(1, 3)
    pads = st.integers(0, 2)
    dtypes = st.sampled_from([np.int8, np.uint8])
    groups, depth, multiplier = draw(small), draw(small), draw(small)
    kernel = (draw(small), draw(small))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = integers(generator, draw(dtypes), (2, groups * depth, draw(st.integers(5, 7)), 6))
    w = integers(generator, draw(dtypes), (groups * multiplier, depth, *kernel))
    op = Conv2d(
        stride=(draw(small), draw(small)),
        pad=(draw(pads), draw(pads), draw(pads), draw(pads)),
        dilation=(draw(st.integers(1, 2)), draw(st.integers(1, 2))),
        groups=groups,
        input_zero_point=int(integers(generator, x.dtype, ())),
        weight_zero_point=int(integers(generator, w.dtype, ())),
    )
    return op, x, w, integers(generator, np.int32, (groups * multiplier,))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(convolutions())
def test_conv2d_is_the_sum_over_the_window(case):
    op, x, w, b = case
    result = apply(op, x, w, b)
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, naive_conv2d(op, x, w, b))


def test_conv2d_stays_exact_beyond_the_mantissa_of_float32():
    x = np.full((1, 600, 3, 3), 127, dtype=np.int8)
    w = np.full((1, 600, 3, 3), 127, dtype=np.int8)
    w[0, 0, 0, 0] = 126
    assert apply(Conv2d(), x, w).item() == 600 * 9 * 127 * 127 - 127


def test_conv2d_wraps_modulo_32_bits():
    x = np.ones((1, 1, 1, 1), dtype=np.int8)
    bias = np.array([2**31 - 1], dtype=np.int32)
    assert apply(Conv2d(), x, x, bias).item() == -(2**31)


def test_conv2d_of_many_samples_equals_one_by_one():
    generator = np.random.default_rng(0)
    x = integers(generator, np.int8, (40, 8, 40, 40))
    w = integers(generator, np.int8, (4, 8, 5, 5))
    together = apply(Conv2d(), x, w)
    np.testing.assert_array_equal(together[17:18], apply(Conv2d(), x[17:18], w))


def test_dense_takes_leading_axes_and_zero_points():
    generator = np.random.default_rng(0)
    x = integers(generator, np.uint8, (2, 3, 5))
    w = integers(generator, np.int8, (4, 5))
    b = integers(generator, np.int32, (4,))
    wide = (x.astype(np.int64) - 7) @ (w.astype(np.int64) + 3).T + b
    result = apply(Dense(input_zero_point=7, weight_zero_point=-3), x, w, b)
    np.testing.assert_array_equal(result, wide.astype(np.int32))


def test_matmul_broadcasts_stacks():
    generator = np.random.default_rng(0)
    a = integers(generator, np.int8, (2, 3, 4, 5))
    b = integers(generator, np.uint8, (3, 5, 2))
    wide = (a.astype(np.int64) - 1) @ (b.astype(np.int64) - 128)
    result = apply(MatMul(a_zero_point=1, b_zero_point=128), a, b)
    np.testing.assert_array_equal(result, wide)
    assert result.dtype == np.int32
