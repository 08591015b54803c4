"""Float products against loops that add one number at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.ir import ops
from htvm.numerics import apply

F32 = np.float32


def one_by_one(terms, bias):
    """Products added from +0 in the order given, each step rounded, then the bias."""
    total = F32(0)
    for a, b in terms:
        total = F32(total + F32(a * b))
    return F32(total + bias)


def convolved(op, x, w, b):
    """The definition, an element at a time."""
    top, left, bottom, right = op.pad
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    spans = [(w.shape[2 + i] - 1) * op.dilation[i] + 1 for i in (0, 1)]
    size = [(padded.shape[2 + i] - spans[i]) // op.stride[i] + 1 for i in (0, 1)]
    out = np.zeros((len(x), len(w), *size), F32)
    for n, k, y, z in np.ndindex(*out.shape):
        first = k // (len(w) // op.groups) * w.shape[1]
        out[n, k, y, z] = one_by_one(
            (
                (
                    padded[
                        n,
                        first + c,
                        y * op.stride[0] + i * op.dilation[0],
                        z * op.stride[1] + j * op.dilation[1],
                    ],
                    w[k, c, i, j],
                )
                for c, i, j in np.ndindex(*w.shape[1:])
            ),
            b[k],
        )
    return out


@settings(derandomize=True, max_examples=40, deadline=None)
@given(
    groups=st.integers(1, 3),
    per_group=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    pad=st.tuples(*[st.integers(0, 2)] * 4),
    samples=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_convolution_adds_in_the_order_of_its_definition(
    groups, per_group, kernel, stride, dilation, pad, samples, seed
):
    rng = np.random.default_rng(seed)
    inputs, outputs = (groups * count for count in per_group)
    x = rng.normal(size=(samples, inputs, 6, 5)).astype(F32)
    w = rng.normal(size=(outputs, per_group[0], *kernel)).astype(F32)
    b = rng.normal(size=outputs).astype(F32)
    op = ops.FloatConv2d(stride=stride, pad=pad, dilation=dilation, groups=groups)
    np.testing.assert_array_equal(apply(op, x, w, b), convolved(op, x, w, b))


@pytest.mark.parametrize("shape", [(7,), (1, 7), (2, 3, 7)])
def test_dense_adds_in_index_order(shape):
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=shape).astype(F32), rng.normal(size=(4, 7)).astype(F32)
    b = rng.normal(size=4).astype(F32)
    want = [
        one_by_one(zip(row, w[k], strict=True), b[k]) for row in x.reshape(-1, 7) for k in range(4)
    ]
    np.testing.assert_array_equal(apply(ops.FloatDense(), x, w, b).reshape(-1), want)


def test_bytes_mean_what_dequantize_makes_of_them():
    rng = np.random.default_rng(2)
    x = rng.integers(0, 256, (1, 3, 4, 4)).astype(np.uint8)
    w = rng.normal(size=(2, 3, 3, 3)).astype(F32)
    scale = F32(0.037)
    real = apply(ops.Dequantize(scale=np.array([scale]), zero_point=131), x)
    pad = (1, 1, 1, 1)
    op = ops.FloatConv2d(pad=pad, input_scale=float(scale), input_zero_point=131)
    want = apply(ops.FloatConv2d(pad=pad), real, w)
    np.testing.assert_array_equal(apply(op, x, w), want)


def test_sums_of_floats_run_in_index_order():
    x = np.array([1.0, 2.0**25, 1.0, -(2.0**25)], F32).reshape(1, 1, 2, 2)
    pooled = apply(ops.SumPool2d(kernel=(2, 2), stride=(1, 1)), x)
    reduced = apply(ops.ReduceSum(axes=(3, 2), keepdims=False), x)
    assert pooled.item() == reduced.item() == 0.0
    assert apply(ops.ReduceSum(axes=(2,)), x).reshape(-1).tolist() == [2.0, 0.0]


def test_a_sum_is_never_minus_zero():
    x = np.full((1, 1, 1, 1), -0.0, F32)
    results = [
        apply(ops.FloatConv2d(), x, np.ones((1, 1, 1, 1), F32)),
        apply(ops.SumPool2d(kernel=(1, 1), stride=(1, 1)), x),
        apply(ops.ReduceSum(axes=(1,)), x),
    ]
    assert not any(np.signbit(result).any() for result in results)
