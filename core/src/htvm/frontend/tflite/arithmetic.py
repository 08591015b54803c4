"""Elementwise ops of two operands, and changes of scale."""

from __future__ import annotations

import numpy as np

from htvm.frontend.tflite.call import Call, Scale
from htvm.frontend.tflite.multiplier import quantize_multipliers
from htvm.frontend.tflite.scope import Form
from htvm.ir.dtype import DType
from htvm.ir.ops import Cast, Elementwise, Op
from htvm.ir.requant import ShiftRequant, TfliteRequant

_HEAD_ROOM = 20
_INT32 = DType.INT32.bounds


def add(call: Call) -> None:
    """ADD."""
    _sum(call, "add")


def sub(call: Call) -> None:
    """SUB."""
    _sum(call, "sub")


def _sum(call: Call, function: str) -> None:
    """Both operands are brought to twice the greater scale, with 20 bits of head room."""
    a, b, result = call.scales(0, 1)
    names, shape, form = operands(call)
    twice = 2 * max(a.scale, b.scale)
    scaled = [
        _widened(call, name, number, _head_room(scale, twice))
        for number, (name, scale) in enumerate(zip(names, (a, b), strict=True))
    ]
    op = Elementwise(function="add" if function == "add" else "sub")
    total = call.emit(op, scaled, shape, DType.INT32, "sum")
    factor = twice / ((1 << _HEAD_ROOM) * result.scale)
    call.finish(fused_requant(call, factor), (total,), shape, form)


def mul(call: Call) -> None:
    """MUL."""
    a, b, result = call.scales(0, 1)
    names, shape, form = operands(call)
    centred = [
        _widened(call, name, number, _centred(scale))
        for number, (name, scale) in enumerate(zip(names, (a, b), strict=True))
    ]
    product = call.emit(Elementwise(function="mul"), centred, shape, DType.INT32, "product")
    factor = a.scale * b.scale / result.scale
    call.finish(fused_requant(call, factor), (product,), shape, form)


def maximum(call: Call) -> None:
    """MAXIMUM of the integers: the operands have equal scales."""
    _compare(call, Elementwise(function="max"))


def minimum(call: Call) -> None:
    """MINIMUM of the integers: the operands have equal scales."""
    _compare(call, Elementwise(function="min"))


def _compare(call: Call, op: Elementwise) -> None:
    if len({scale_key(scale) for scale in call.scales(0, 1)}) != 1:
        raise call.refuse("different scales", "operands and result of one scale and zero point")
    names, shape, form = operands(call)
    cast = Cast(out=DType.INT32)
    wide = [_widened(call, name, number, cast) for number, name in enumerate(names)]
    chosen = call.emit(op, wide, shape, DType.INT32, "wide")
    call.finish(narrow(), (chosen,), shape, form)


def scale_key(scale: Scale) -> tuple[float, int]:
    """What two scales must share to mean the same."""
    return scale.scale, scale.zero_point


def fused_requant(call: Call, factor: float) -> TfliteRequant:
    """The requantisation from an int32 value to the op's result, its activation included."""
    lo, hi = call.clip()
    mul_, exponent = quantize_multipliers([factor])
    return TfliteRequant(
        out=DType.INT8,
        lo=lo,
        hi=hi,
        mul=mul_,
        exponent=exponent,
        zero_point=call.scale(call.output()).zero_point,
    )


def narrow() -> ShiftRequant:
    """int32 values that fit int8, as int8."""
    one, zero = np.array([1], dtype=np.int64), np.array([0], dtype=np.int64)
    return ShiftRequant(out=DType.INT8, lo=-128, hi=127, mul=one, add=zero, shift=zero)


def operands(call: Call) -> tuple[tuple[str, str], tuple[int, ...], Form]:
    """Both operands, the shape of the result, and the order of its axes."""
    form = call.form(0, 1)
    names = (call.take(0, form), call.take(1, form))
    shapes = [call.scope.tensor(name).shape for name in names]
    try:
        return names, np.broadcast_shapes(*shapes), form
    except ValueError as error:
        raise call.refuse(f"shapes {shapes}", "shapes that broadcast") from error


def _widened(call: Call, name: str, number: int, op: Op) -> str:
    return call.emit(op, (name,), call.scope.tensor(name).shape, DType.INT32, f"in{number}")


def _head_room(scale: Scale, twice: float) -> TfliteRequant:
    mul_, exponent = quantize_multipliers([scale.scale / twice])
    return TfliteRequant(
        out=DType.INT32,
        lo=_INT32[0],
        hi=_INT32[1],
        mul=mul_,
        exponent=exponent,
        zero_point=0,
        input_zero_point=scale.zero_point,
        left_shift=_HEAD_ROOM,
    )


def _centred(scale: Scale) -> ShiftRequant:
    one, zero = np.array([1], dtype=np.int64), np.array([0], dtype=np.int64)
    return ShiftRequant(
        out=DType.INT32, lo=-255, hi=255, mul=one, add=one * -scale.zero_point, shift=zero
    )
