"""QUANTIZE and DEQUANTIZE: the ends of a network, and changes of scale inside it."""

from __future__ import annotations

import numpy as np

from htvm.frontend import refuse
from htvm.frontend.tflite.activation import unary
from htvm.frontend.tflite.arithmetic import scale_key
from htvm.frontend.tflite.call import Call, Scale, check_scale
from htvm.frontend.tflite.model import FileTensor
from htvm.frontend.tflite.multiplier import quantize_multipliers
from htvm.ir.dtype import DType
from htvm.ir.ops import Dequantize, Quantize
from htvm.ir.requant import TfliteRequant

_BYTES = {"INT8": DType.INT8, "UINT8": DType.UINT8}


def quantize(call: Call) -> None:
    """QUANTIZE from float, or from one scale to another."""
    source = call.input(0)
    result = _byte_scale(call, call.output())
    out = _BYTES[call.output().type]
    lo, hi = out.bounds
    if source.type == "FLOAT32":
        scale = np.array([result.scale], dtype=np.float32)
        op = Quantize(
            scale=scale, zero_point=result.zero_point, out=out, lo=lo, hi=hi, rounding="away"
        )
        unary(call, op)
        return
    given = _byte_scale(call, source)
    if source.type == call.output().type and scale_key(given) == scale_key(result):
        call.scope.alias(call.output(), source)
        return
    mul, exponent = quantize_multipliers([given.scale / result.scale])
    requant = TfliteRequant(
        out=out,
        lo=lo,
        hi=hi,
        mul=mul,
        exponent=exponent,
        zero_point=result.zero_point,
        input_zero_point=given.zero_point,
    )
    unary(call, requant)


def dequantize(call: Call) -> None:
    """DEQUANTIZE to float."""
    source = _byte_scale(call, call.input(0))
    if call.output().type != "FLOAT32":
        raise call.refuse(f"result of type {call.output().type}", "FLOAT32")
    scale = np.array([source.scale], dtype=np.float32)
    unary(call, Dequantize(scale=scale, zero_point=source.zero_point))


def _byte_scale(call: Call, tensor: FileTensor) -> Scale:
    if tensor.type not in _BYTES:
        raise call.refuse(f"tensor {tensor.name!r} of type {tensor.type}", "INT8, UINT8 or FLOAT32")
    if len(tensor.scale) != 1 or len(tensor.zero_point) != 1:
        raise call.refuse(f"tensor {tensor.name!r} with {len(tensor.scale)} scales", "one scale")
    check_scale(tensor.name, tensor.scale[0])
    lo, hi = _BYTES[tensor.type].bounds
    if not lo <= tensor.zero_point[0] <= hi:
        raise refuse.bad_number(
            f"tensor {tensor.name!r}", f"zero point {tensor.zero_point[0]}", f"{lo} to {hi}"
        )
    return Scale(scale=tensor.scale[0], zero_point=tensor.zero_point[0])
