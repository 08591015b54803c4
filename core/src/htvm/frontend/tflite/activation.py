"""Activations of one operand, most of them as tables of the reference's integer definition."""

from __future__ import annotations

from collections.abc import Callable
from math import frexp

import numpy as np
import numpy.typing as npt

from htvm.frontend.tflite.arithmetic import scale_key
from htvm.frontend.tflite.call import Call, Scale
from htvm.frontend.tflite.multiplier import (
    activation_range,
    input_radius,
    quantize_multiplier,
    quantize_multipliers,
    round_half_away,
)
from htvm.ir.dtype import DType
from htvm.ir.ops import Clip, Lut, Op, SoftmaxTflite
from htvm.ir.requant import TfliteRequant
from htvm.numerics import fixed_point

Ints = npt.NDArray[np.int64]

_LEVELS = np.arange(-128, 128, dtype=np.int64)
_SIGMOID_INTEGER_BITS = 4
_SOFTMAX_INTEGER_BITS = 5
_ACTIVATIONS = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
_INT16_MAX = 2**15 - 1
_STEEPEST = 1024


def logistic(call: Call) -> None:
    """LOGISTIC; the result has scale 1/256 and zero point -128."""
    _check_result(call, scale=1 / 256, zero_point=-128)
    _table(call, lambda x, _: _sigmoid(call, x, fixed_point.logistic, places=23) - 128)


def tanh(call: Call) -> None:
    """TANH; the result has scale 1/128 and zero point 0."""
    _check_result(call, scale=1 / 128, zero_point=0)
    _table(call, lambda x, _: _sigmoid(call, x, fixed_point.tanh, places=24))


def hard_swish(call: Call) -> None:
    """HARD_SWISH: ``x * relu6(x + 3) / 6`` in 16-bit fixed point."""
    _table(call, lambda x, y: _hard_swish(call, x, y))


def leaky_relu(call: Call) -> None:
    """LEAKY_RELU: one multiplier for each sign."""
    alpha = np.float32(call.operator.real("Alpha"))
    if not abs(alpha) <= _STEEPEST:
        raise call.refuse(f"alpha {alpha}", f"alpha from -{_STEEPEST} to {_STEEPEST}")

    def values(x: Scale, y: Scale) -> Ints:
        centred = _LEVELS - x.zero_point
        scale, result = np.float32(x.scale), np.float32(y.scale)
        positive = quantize_multiplier(float(scale / result))
        negative = quantize_multiplier(float(scale * alpha / result))
        scaled = np.where(
            centred >= 0,
            fixed_point.multiply_by_quantized(centred, *positive),
            fixed_point.multiply_by_quantized(centred, *negative),
        )
        return scaled + y.zero_point

    _table(call, values)


def relu(call: Call) -> None:
    """RELU, RELU6 and RELU_N1_TO_1: a clip, and a requantisation where the scales differ."""
    x, y = call.scales(0)
    bounds = activation_range(_ACTIVATIONS[call.operator.kind], y.scale, y.zero_point)
    lo, hi = bounds or (-128, 127)
    op: Op = Clip(lo=lo, hi=hi)
    if scale_key(x) != scale_key(y):
        mul, exponent = quantize_multipliers([float(np.float32(x.scale) / np.float32(y.scale))])
        op = TfliteRequant(
            out=DType.INT8,
            lo=lo,
            hi=hi,
            mul=mul,
            exponent=exponent,
            zero_point=y.zero_point,
            input_zero_point=x.zero_point,
        )
    unary(call, op)


def softmax(call: Call) -> None:
    """SOFTMAX over the last axis; the result has scale 1/256 and zero point -128."""
    x, _ = call.scales(0)
    if not call.shape(0):
        raise call.refuse("a scalar", "an operand of at least one axis")
    _check_result(call, scale=1 / 256, zero_point=-128)
    factor = call.operator.real("Beta") * x.scale * 2.0 ** (31 - _SOFTMAX_INTEGER_BITS)
    mul, left_shift = quantize_multiplier(min(factor, 2.0**31 - 1))
    if left_shift < 0 or not factor > 0:
        raise call.refuse(f"input scale times beta of {factor / 2**26}", "at least 2**-26")
    radius = input_radius(_SOFTMAX_INTEGER_BITS, left_shift)
    op = SoftmaxTflite(mul=mul, left_shift=left_shift, diff_min=-radius)
    call.finish(op, (call.plain(0),), call.shape(0), "plain")


def unary(call: Call, op: Op) -> None:
    """Append an op that keeps the shape, in whichever order its operand is."""
    form = call.form(0)
    name = call.take(0, form)
    call.finish(op, (name,), call.scope.tensor(name).shape, form)


def _table(call: Call, values: Callable[[Scale, Scale], Ints]) -> None:
    x, y = call.scales(0)
    table = np.clip(values(x, y), -128, 127).astype(np.int8)
    unary(call, Lut(table=table, out=DType.INT8))


def _sigmoid(call: Call, x: Scale, function: Callable[[Ints, int], Ints], *, places: int) -> Ints:
    """A sigmoid of the centred input in Q4.27, rounded by ``places``; its ends outside of that."""
    mantissa, left_shift = frexp(x.scale * 2.0 ** (31 - _SIGMOID_INTEGER_BITS))
    if left_shift < 0:
        raise call.refuse(f"input scale {x.scale}", "at least 2**-27")
    mul = round_half_away(mantissa * 2**31)
    radius = input_radius(_SIGMOID_INTEGER_BITS, left_shift)
    centred = _LEVELS - x.zero_point
    scaled = fixed_point.multiply_by_quantized(centred, mul, left_shift)
    inner = fixed_point.rounding_shift_right(function(scaled, _SIGMOID_INTEGER_BITS), places)
    outer = np.where(centred > 0, 1 << 20, -(1 << 20))
    return np.where(np.abs(centred) < radius, inner, outer)


def _check_result(call: Call, *, scale: float, zero_point: int) -> None:
    y = call.scale(call.output())
    if scale_key(y) != (scale, zero_point):
        raise call.refuse(
            f"result of scale {y.scale} and zero point {y.zero_point}",
            f"scale {scale} and zero point {zero_point}",
        )


def _hard_swish(call: Call, x: Scale, y: Scale) -> Ints:
    fine_scale = np.float32(1 / 128) * np.float32(x.scale)
    out_mul, out_exponent = quantize_multiplier(float(fine_scale / np.float32(y.scale)))
    relu_step = np.float32(3) / np.float32(32768)
    relu_mul, relu_exponent = quantize_multiplier(float(fine_scale / relu_step))
    if out_exponent > 0:
        raise call.refuse(f"result scale {y.scale}", f"at least {x.scale / 128}")
    fine = (_LEVELS - x.zero_point) << 7
    unshifted = _high_multiply16(fine, _to_16_bits(out_mul))
    gate = _gate(fine, _to_16_bits(relu_mul), relu_exponent)
    product = np.trunc(gate * unshifted / 2**15).astype(np.int64)
    return fixed_point.rounding_shift_right(_saturate16(product), -out_exponent) + y.zero_point


def _gate(fine: Ints, mul: int, exponent: int) -> Ints:
    """``relu6(x + 3) / 6`` as a 15-bit fraction: saturation does the clipping."""
    value = fine
    if exponent > 0:
        value = _saturate16(value << (exponent - 1))
    value = _high_multiply16(value, mul)
    if exponent > 0:
        value = _saturate16(value << 1)
    if exponent < 0:
        value = fixed_point.rounding_shift_right(value, -exponent)
    return (value + (1 << 15)) >> 1


def _high_multiply16(a: Ints, b: int) -> Ints:
    """``a * b / 2**15`` rounded half away from zero, saturating: the Q15 product."""
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return _saturate16(np.sign(nudged) * (np.abs(nudged) >> 15))


def _to_16_bits(mul: int) -> int:
    return min((mul + (1 << 15)) >> 16, _INT16_MAX)


def _saturate16(values: Ints) -> Ints:
    limited: Ints = np.clip(values, -_INT16_MAX - 1, _INT16_MAX)
    return limited
