import numpy as np
import pytest

from htvm.ir.dtype import DType
from htvm.ir.ops import Cast, Clip, Dequantize, Elementwise, Lut, Quantize
from htvm.numerics import apply


@pytest.mark.parametrize(
    ("function", "a", "b", "expected"),
    [
        ("add", 2**31 - 1, 1, -(2**31)),
        ("sub", -(2**31), 1, 2**31 - 1),
        ("mul", 2**16 + 1, 2**16, 2**16),
        ("min", -3, 2, -3),
        ("max", -3, 2, 2),
    ],
)
def test_integers_wrap(function, a, b, expected):
    result = apply(Elementwise(function=function), np.int32([a]), np.int32([b]))
    assert (result.dtype, result.item()) == (np.int32, expected)


@pytest.mark.parametrize(("function", "expected"), [("add", 1.0), ("div", 2.0**25)])
def test_floats_round_to_float32(function, expected):
    result = apply(Elementwise(function=function), np.float32([1]), np.float32([2.0**-25]))
    assert (result.dtype, result.item()) == (np.float32, expected)


def test_clip_keeps_the_type():
    result = apply(Clip(lo=0.0, hi=6.0), np.array([-3, 4, 9], dtype=np.int8))
    assert result.dtype == np.int8
    assert result.tolist() == [0, 4, 6]


def test_cast_of_a_large_integer_rounds_to_even():
    result = apply(Cast(out=DType.FLOAT32), np.array([2**24 + 1, 2**24 + 3], dtype=np.int32))
    assert result.tolist() == [2**24, 2**24 + 4]


@pytest.mark.parametrize(
    ("dtype", "indices"), [(np.int8, [0, 128, 255]), (np.uint8, [128, 0, 127])]
)
def test_table_starts_at_the_types_least_value(dtype, indices):
    table = np.arange(256, dtype=np.uint8)
    x = {np.int8: [-128, 0, 127], np.uint8: [128, 0, 127]}[dtype]
    assert apply(Lut(table=table, out=DType.UINT8), np.array(x, dtype=dtype)).tolist() == indices


def test_quantize_rounds_ties_to_even_then_adds_the_zero_point():
    op = Quantize(scale=np.float32([0.5]), zero_point=1, out=DType.INT8, lo=-128, hi=10)
    x = np.array([0.25, 0.75, -0.25, 4.0, 1e30, -1e30], dtype=np.float32)
    assert apply(op, x).tolist() == [1, 3, 1, 9, 10, -128]


def test_quantize_rounds_ties_away_where_tflite_does():
    op = Quantize(
        scale=np.float32([1]), zero_point=0, out=DType.INT8, lo=-128, hi=127, rounding="away"
    )
    x = np.array([0.5, -0.5, 2.5, 0.49999997, -7.4], dtype=np.float32)
    assert apply(op, x).tolist() == [1, -1, 3, 0, -7]


def test_quantize_per_channel_and_back():
    scale = np.float32([0.5, 2.0])
    x = np.array([[3.0, 3.0]], dtype=np.float32)
    integers = apply(
        Quantize(scale=scale, zero_point=0, out=DType.INT8, lo=-128, hi=127, axis=1), x
    )
    assert integers.tolist() == [[6, 2]]
    real = apply(Dequantize(scale=scale, zero_point=-1, axis=1), integers)
    assert (real.dtype, real.tolist()) == (np.float32, [[3.5, 6.0]])
