"""Every op of the integer graph, in shapes and arithmetics that have their own traps."""

import numpy as np
import pytest

from htvm.ir import ops, requant
from htvm.ir.dtype import DType
from htvm.tvm.tail import lower_tail

_RANDOM = np.random.default_rng(7)


def _i8(*shape):
    return _RANDOM.integers(-128, 128, shape).astype(np.int8)


def _u8(*shape):
    return _RANDOM.integers(0, 256, shape).astype(np.uint8)


def _i32(*shape, bound=2**31 - 1):
    return _RANDOM.integers(-bound - 1, bound, shape, endpoint=True).astype(np.int32)


def _i64(*shape, bound=2**40):
    return _RANDOM.integers(-bound, bound, shape).astype(np.int64)


def _f32(*shape):
    return _RANDOM.normal(0, 3, shape).astype(np.float32)


def _ints(*values):
    return np.array(values, dtype=np.int64)


def _floats(*values):
    return np.array(values, dtype=np.float32)


def _shift(out=DType.INT8, axis=None, mul=(3,), add=(0,), shift=(9,), **limits):
    lo, hi = out.bounds
    return requant.ShiftRequant(
        out=out, axis=axis, mul=_ints(*mul), add=_ints(*add), shift=_ints(*shift),
        **{"lo": lo, "hi": hi, **limits},
    )  # fmt: skip


def _float(scale, axis=None, emulated=False, out=DType.INT8, zero_point=-5, **limits):
    lo, hi = out.bounds
    return requant.FloatRequant(
        out=out, axis=axis, scale=_floats(*scale), zero_point=zero_point, emulated=emulated,
        **{"lo": lo, "hi": hi, **limits},
    )  # fmt: skip


def _tflite(mul, exponent, axis=None, lo=-128, hi=127, zero_point=4, **more):
    return requant.TfliteRequant(
        out=DType.INT8, axis=axis, lo=lo, hi=hi, mul=_ints(*mul), exponent=_ints(*exponent),
        zero_point=zero_point, **more,
    )  # fmt: skip


def _mulshift(mul, shift, axis=None):
    return requant.Mulshift31Requant(
        out=DType.UINT8, axis=axis, lo=0, hi=255, mul=_ints(*mul), shift=_ints(*shift),
        zero_point=17,
    )  # fmt: skip


_Q31 = (1518500250, 2147483647, 1073741824)
_TIES = np.array([-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 2**31 - 1, -(2**31)], dtype=np.int32)
_EXPS = np.exp(-np.arange(256, dtype=np.float32) * np.float32(0.07))

_WIDENED = requant.TfliteRequant(
    out=DType.INT32,
    lo=-(2**31),
    hi=2**31 - 1,
    mul=_ints(_Q31[0]),
    exponent=_ints(-1),
    zero_point=0,
    input_zero_point=-4,
    left_shift=20,
)

_CASES = {
    "conv": (
        {"x": _i8(1, 3, 7, 6)},
        [(ops.Conv2d(pad=(1, 0, 1, 2)), "x", _i8(4, 3, 3, 2), _i32(4))],
    ),
    "conv_zero_points": (
        {"x": _u8(1, 4, 5, 5)},
        [
            (
                ops.Conv2d(
                    stride=(2, 1),
                    pad=(2, 1, 0, 1),
                    dilation=(1, 2),
                    groups=2,
                    input_zero_point=131,
                    weight_zero_point=7,
                ),
                "x",
                _u8(6, 2, 3, 2),
                _i32(6, bound=2**20),
            ),
            (_float((0.001,) * 5 + (0.0107,), axis=1), 0),
        ],
    ),
    "conv_depthwise": (
        {"x": _i8(1, 5, 8, 8)},
        [
            (
                ops.Conv2d(stride=(2, 2), pad=(0, 0, 1, 1), groups=5, input_zero_point=-128),
                "x",
                _i8(5, 1, 3, 3),
                _i32(5, bound=2**16),
            ),
            (_tflite(_Q31[:1] * 5, (-6, -5, -4, -7, -31), axis=1), 0),
        ],
    ),
    "conv_narrow": (
        {"x": _i8(1, 2, 5, 1)},
        [(ops.Conv2d(pad=(0, 1, 0, 1), input_zero_point=9), "x", _i8(2, 2, 2, 2))],
    ),
    "conv_wraps": (
        {"x": np.full((1, 2, 2, 2), -128, np.int8)},
        [
            (
                ops.Conv2d(),
                "x",
                np.full((1, 2, 2, 2), -128, np.int8),
                np.array([2**31 - 5], np.int32),
            )
        ],
    ),
    "conv_pointwise_chain": (
        {"x": _i8(1, 6, 4, 4)},
        [
            (ops.Conv2d(), "x", _i8(8, 6, 1, 1)),
            (_shift(shift=(8,), add=(128,), lo=0), 0),
            (ops.MaxPool2d(kernel=(2, 2), stride=(2, 2)), 1),
            (ops.Reshape(shape=(1, 32)), 2),
            (ops.Dense(input_zero_point=2), 3, _i8(3, 32), _i32(3, bound=999)),
        ],
    ),
    "dense_leading_axes": (
        {"x": _i8(2, 3, 10)},
        [
            (ops.Dense(weight_zero_point=3, input_zero_point=1), "x", _i8(4, 10)),
            (_mulshift((1 << 30,), (39,)), 0),
        ],
    ),
    "matmul_batched": (
        {"a": _i8(1, 2, 3, 4), "b": _u8(2, 4, 5)},
        [(ops.MatMul(a_zero_point=-3, b_zero_point=128), "a", "b")],
    ),
    "matmul_vector": ({"a": _i8(4), "b": _i8(4, 5)}, [(ops.MatMul(), "a", "b")]),
    "add_wraps": (
        {"a": _i32(2, 3, 4), "b": _i32(3, 1)},
        [(ops.Elementwise(function="add"), "a", "b")],
    ),
    "sub_then_clip": (
        {"a": _i32(40), "b": _i32(40)},
        [(ops.Elementwise(function="sub"), "a", "b"), (ops.Clip(lo=0, hi=2**31 - 1), 0)],
    ),
    "mul_wraps": ({"a": _i32(4, 5), "b": _i32(1)}, [(ops.Elementwise(function="mul"), "a", "b")]),
    "min_constant": ({"a": _i32(30)}, [(ops.Elementwise(function="min"), "a", _i32(30))]),
    "max_integers": ({"a": _i32(30), "b": _i32(30)}, [(ops.Elementwise(function="max"), "a", "b")]),
    **{
        f"float_{name}": (
            {"a": _f32(3, 7), "b": _f32(7)},
            [(ops.Elementwise(function=name), "a", "b")],
        )
        for name in ("add", "sub", "mul", "div", "min", "max")
    },
    "same_input_twice": ({"a": _i32(9)}, [(ops.Elementwise(function="add"), "a", "a")]),
    "clip_bytes": ({"x": _i8(50)}, [(ops.Clip(lo=-20, hi=127), "x")]),
    "clip_floats": ({"x": _f32(50)}, [(ops.Clip(lo=0.1, hi=6.0), "x")]),
    "max_pool": (
        {"x": _i8(1, 3, 7, 9)},
        [(ops.MaxPool2d(kernel=(3, 2), stride=(2, 3), pad=(1, 0, 1, 1)), "x")],
    ),
    "max_pool_float": (
        {"x": _f32(1, 2, 5, 5)},
        [(ops.MaxPool2d(kernel=(2, 2), stride=(1, 1), pad=(0, 1, 1, 0)), "x")],
    ),
    "sum_pool": (
        {"x": _u8(1, 2, 6, 6)},
        [
            (
                ops.SumPool2d(kernel=(3, 3), stride=(1, 2), pad=(1, 1, 1, 1), input_zero_point=9),
                "x",
            ),
            (_float((0.11,)), 0),
        ],
    ),
    "float_conv": (
        {"x": _i8(1, 4, 5, 4)},
        [
            (
                ops.FloatConv2d(
                    stride=(2, 1),
                    pad=(2, 1, 0, 1),
                    dilation=(1, 2),
                    groups=2,
                    input_scale=float(np.float32(0.07)),
                    input_zero_point=5,
                ),
                "x",
                _f32(6, 2, 3, 2),
                _f32(6),
            ),
            (ops.SumPool2d(kernel=(2, 2), stride=(1, 1), pad=(0, 0, 1, 1)), 0),
            (ops.ReduceSum(axes=(1, 3)), 1),
        ],
    ),
    "float_dense": (
        {"x": _f32(2, 3, 10)},
        [(ops.FloatDense(), "x", _f32(4, 10), _f32(4)), (ops.FloatDense(), 0, _f32(2, 4))],
    ),
    "avg_pool": (
        {"x": _i8(1, 3, 6, 7)},
        [(ops.AvgPool2d(kernel=(3, 3), stride=(2, 2), pad=(1, 1, 1, 1), lo=-100, hi=90), "x")],
    ),
    "avg_pool_global": (
        {"x": _u8(1, 4, 5, 5)},
        [(ops.AvgPool2d(kernel=(5, 5), stride=(1, 1), lo=0, hi=255), "x")],
    ),
    "reduce_sum": (
        {"x": _i8(1, 4, 5, 3)},
        [(ops.ReduceSum(axes=(2, 3), input_zero_point=-7), "x"), (_shift(shift=(3,)), 0)],
    ),
    "reduce_sum_dropped_axes": (
        {"x": _u8(2, 4, 5)},
        [(ops.ReduceSum(axes=(0, -1), keepdims=False), "x")],
    ),
    "transpose": ({"x": _i8(2, 3, 4, 5)}, [(ops.Transpose(perm=(0, 3, 1, 2)), "x")]),
    "reshape": (
        {"x": _i32(2, 6, 5)},
        [(ops.Reshape(shape=(4, 15)), "x"), (ops.Transpose(perm=(1, 0)), 0)],
    ),
    "pad": ({"x": _i8(1, 2, 3)}, [(ops.Pad(before=(0, 1, 2), after=(1, 0, 3), value=-9), "x")]),
    "slice": (
        {"x": _i8(4, 9, 5)},
        [(ops.Slice(start=(1, 0, 2), stop=(4, 9, 5), step=(1, 3, 2)), "x")],
    ),
    "concat": ({"a": _i8(1, 2, 3), "b": _i8(1, 4, 3)}, [(ops.Concat(axis=1), "a", "b", "a")]),
    "cast_to_float": ({"x": _i32(60)}, [(ops.Cast(out=DType.FLOAT32), "x")]),
    "cast_widens": (
        {"x": _u8(60)},
        [(ops.Cast(out=DType.INT32), "x"), (ops.Elementwise(function="mul"), 0, 0)],
    ),
    "lut_signed": ({"x": _i8(256)}, [(ops.Lut(table=_i8(256), out=DType.INT8), "x")]),
    "lut_to_float": ({"x": _u8(99)}, [(ops.Lut(table=_f32(256), out=DType.FLOAT32), "x")]),
    "quantize": (
        {"x": np.concatenate([_f32(90), _floats(1e30, -1e30, 0.25, 0.75, -0.25, 1.25)])},
        [(ops.Quantize(scale=_floats(0.5), zero_point=3, out=DType.INT8, lo=-128, hi=127), "x")],
    ),
    "quantize_away": (
        {"x": _floats(0.25, 0.75, -0.25, -0.75, 1.25, 0.24999999, 90.0)},
        [
            (
                ops.Quantize(
                    scale=_floats(0.5), zero_point=3, out=DType.UINT8, lo=0, hi=255, rounding="away"
                ),
                "x",
            )
        ],
    ),
    "quantize_wide": (
        {"x": _f32(90) * np.float32(1e8)},
        [
            (
                ops.Quantize(
                    scale=_floats(0.3), zero_point=1, out=DType.INT32, lo=-(2**31), hi=2**31 - 1
                ),
                "x",
            )
        ],
    ),
    "quantize_per_channel": (
        {"x": _f32(1, 3, 20)},
        [
            (
                ops.Quantize(
                    scale=_floats(0.1, 0.02, 0.3),
                    zero_point=-1,
                    out=DType.INT8,
                    lo=-127,
                    hi=127,
                    axis=1,
                ),
                "x",
            )
        ],
    ),
    "dequantize": ({"x": _i8(80)}, [(ops.Dequantize(scale=_floats(0.1), zero_point=-128), "x")]),
    "dequantize_accumulators": (
        {"x": _i32(4, 9)},
        [(ops.Dequantize(scale=_floats(0.1, 1e-8, 3.7, 0.3), zero_point=77, axis=0), "x")],
    ),
    "shift_per_channel": (
        {"x": _i32(1, 4, 30)},
        [
            (
                _shift(
                    axis=1,
                    mul=(-300, 0, 2**31 - 1, 5),
                    add=(1, -(2**40), 7, 2**62),
                    shift=(22, 33, 63, 0),
                ),
                "x",
            )
        ],
    ),
    "shift_64_bits": (
        {"x": _i64(40)},
        [(_shift(out=DType.INT16, mul=(3,), add=(-9,), shift=(27,)), "x")],
    ),
    "shift_to_32_bits": (
        {"x": _i32(40)},
        [(_shift(out=DType.INT32, mul=(-3,), add=(2**31,), shift=(1,)), "x")],
    ),
    "shift_feeds_a_pool": (
        {"x": _i32(1, 2, 6, 6)},
        [
            (_shift(out=DType.INT64, mul=(-3,), shift=(0,)), "x"),
            (ops.MaxPool2d(kernel=(2, 2), stride=(2, 2)), 0),
        ],
    ),
    "mulshift31": (
        {"x": _i32(1, 3, 20, bound=2**20)},
        [(_mulshift(_Q31, (44, 62, 1), axis=1), "x")],
    ),
    "tflite": (
        {
            "x": np.concatenate(
                [_i32(3, 40, bound=2**16), _i32(3, 40), np.tile(_TIES, (3, 1))], axis=1
            )
        },
        [(_tflite(_Q31, (-9, 2, -1), axis=0), "x")],
    ),
    "tflite_extremes": (
        {"x": np.tile(_TIES, (4, 1))},
        [(_tflite((-(2**31), 0, -_Q31[0], _Q31[1]), (0, -3, -31, 31), axis=0, lo=-100, hi=3), "x")],
    ),
    "tflite_add": (
        {"a": _i8(1, 2, 16), "b": _i8(1, 2, 16)},
        [
            (_WIDENED, "a"),
            (_WIDENED, "b"),
            (ops.Elementwise(function="add"), 0, 1),
            (_tflite(_Q31[:1], (-18,)), 2),
        ],
    ),
    "float_ties": ({"x": np.tile(_TIES, (3, 1))}, [(_float((0.5, 1.5, -0.25), axis=0), "x")]),
    "float_wide": (
        {"x": _i32(60)},
        [(_float((0.3,), out=DType.INT32, zero_point=5), "x")],
    ),
    "float_64_bits": ({"x": _i64(60, bound=2**34)}, [(_float((3e-9,)), "x")]),
    **{
        f"emulated_{name}": (
            {
                "x": np.concatenate(
                    [np.tile(_TIES, (4, 1)), _i32(4, 60), _i32(4, 60, bound=2**14)], axis=1
                )
            },
            [(_float(scale, axis=0, emulated=True, out=out), "x")],
        )
        for name, scale, out in (
            ("small", (0.5, 0.0123, -3.1e-4, 0.0), DType.INT8),
            ("great", (7e30, 1e-42, 1.0, 300.0), DType.INT16),
        )
    },
    "softmax_tflite": (
        {"x": np.concatenate([_i8(5, 12), np.full((1, 12), 5, np.int8)])},
        [(ops.SoftmaxTflite(mul=1352829952, left_shift=24, diff_min=-98), "x")],
    ),
    "softmax_tflite_steep": (
        {"x": _i8(1, 3, 300)},
        [(ops.SoftmaxTflite(mul=1717986918, left_shift=20, diff_min=-1000), "x")],
    ),
    "softmax_tflite_one_axis": (
        {"x": _i8(10)},
        [(ops.SoftmaxTflite(mul=1352829952, left_shift=24, diff_min=-98), "x")],
    ),
    "softmax_table": ({"x": _i8(3, 11)}, [(ops.SoftmaxTable(table=_EXPS, axis=-1), "x")]),
    "softmax_table_inner": ({"x": _u8(1, 6, 2, 3)}, [(ops.SoftmaxTable(table=_EXPS, axis=1), "x")]),
    "softmax_qlinear": (
        {"x": _i8(4, 10)},
        [(ops.QLinearSoftmax(table=_EXPS[::-1].copy(), scale=256.0, zero_point=-128, axis=1), "x")],
    ),
}


@pytest.fixture(scope="session")
def cases(samples):
    made = {name: samples(*case) for name, case in _CASES.items()}
    return {name: (sample, lower_tail(sample.layer)) for name, sample in made.items()}


@pytest.fixture(scope="session")
def unscheduled_cases(cases):
    return {
        name: (sample, lower_tail(sample.layer, lowering="default"))
        for name, (sample, _) in cases.items()
    }
