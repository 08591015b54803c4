from math import exp

import numpy as np
import pytest

from htvm.ir.ops import QLinearSoftmax, SoftmaxTable, SoftmaxTflite
from htvm.numerics import apply
from htvm.numerics.fixed_point import exp_of_negative, logistic, one_over_one_plus, tanh

STEPS = np.linspace(0, 1, 1001)


def test_exponential_is_accurate():
    raw = -(STEPS * 15.9 * 2**27).astype(np.int64)
    error = exp_of_negative(raw, 4) / 2**31 - np.exp(raw / 2**27)
    assert np.abs(error).max() < 2**-21
    assert exp_of_negative(np.int64(0), 4) == 2**31 - 1


def test_reciprocal_is_accurate():
    raw = (STEPS * (2**31 - 1)).astype(np.int64)
    error = one_over_one_plus(raw) / 2**31 - 1 / (1 + raw / 2**31)
    assert np.abs(error).max() < 2**-21


@pytest.mark.parametrize(
    ("function", "exact"), [(logistic, lambda x: 1 / (1 + np.exp(-x))), (tanh, np.tanh)]
)
def test_sigmoids_are_accurate(function, exact):
    raw = ((2 * STEPS - 1) * 15.9 * 2**27).astype(np.int64)
    error = function(raw, 4) / 2**31 - exact(raw / 2**27)
    assert np.abs(error).max() < 2**-21


def tflite(scale, beta=1.0):
    real = scale * beta * 2**26
    shift = int(np.frexp(real)[1])
    return SoftmaxTflite(mul=round(real / 2.0**shift * 2**31), left_shift=shift, diff_min=-248)


def test_tflite_softmax_is_within_one_of_the_real_one():
    x = np.random.default_rng(0).integers(-128, 128, (50, 10), dtype=np.int8)
    real = np.exp((x - x.max(axis=1, keepdims=True).astype(float)) * 0.1)
    expected = real / real.sum(axis=1, keepdims=True) * 256 - 128
    result = apply(tflite(0.1), x)
    assert result.dtype == np.int8
    assert np.abs(result - np.clip(expected, -128, 127)).max() <= 1


def test_tflite_softmax_drops_what_is_too_far_below():
    op = SoftmaxTflite(mul=2**30, left_shift=24, diff_min=-100)
    x = np.array([[127, 27, 26]], dtype=np.int8)
    assert apply(op, x)[0, 2] == -128


def test_table_softmax_sums_in_index_order():
    table = np.array([exp(-0.05 * i) for i in range(256)], dtype=np.float32)
    x = np.random.default_rng(0).integers(0, 256, (3, 7, 4), dtype=np.uint8)
    result = apply(SoftmaxTable(table=table, axis=1), x)
    for n, k in np.ndindex(3, 4):
        terms = [table[int(x[n, :, k].max()) - int(v)] for v in x[n, :, k]]
        total = np.float32(0)
        for term in terms:
            total = np.float32(total + term)
        assert result[n, :, k].tolist() == [np.float32(term / total) for term in terms]


def test_qlinear_softmax_scales_before_dividing():
    table = np.array([exp(0.05 * (i - 255)) for i in range(256)], dtype=np.float32)
    x = np.array([[10, -20, 127]], dtype=np.int8)
    op = QLinearSoftmax(table=table, scale=256.0, zero_point=-128, axis=-1)
    terms = table[[138, 108, 255]]
    total = np.float32(np.float32(terms[0] + terms[1]) + terms[2])
    expected = np.clip(np.rint(terms * np.float32(256) / total) - 128, -128, 127)
    assert apply(op, x).tolist() == [expected.tolist()]
