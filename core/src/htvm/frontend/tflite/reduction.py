"""MEAN."""

from __future__ import annotations

from math import prod

import numpy as np

from htvm.frontend.tflite.arithmetic import narrow, scale_key
from htvm.frontend.tflite.call import Call
from htvm.frontend.tflite.multiplier import quantize_multiplier
from htvm.frontend.tflite.scope import Form
from htvm.ir.dtype import DType
from htvm.ir.ops import Elementwise, ReduceSum
from htvm.ir.requant import ShiftRequant, TfliteRequant

_RECIPROCAL_BITS = 31


def mean(call: Call) -> None:
    """MEAN over any axes but the batch.

    Where input and result have one scale the reference divides the plain sum, truncating; else
    it puts the division into the multiplier.
    """
    x, y = call.scales(0)
    shape = call.shape(0)
    axes = sorted({call.axis(axis, len(shape), "plain") for axis in call.integers(1)})
    keep = bool(call.operator.flag("KeepDims"))
    form = _form(call, axes, keep)
    count = prod(shape[axis] for axis in axes)
    op_axes = tuple(sorted(call.axis(axis, len(shape), form) for axis in axes))
    name = call.take(0, form)
    result = _reduced(call.scope.tensor(name).shape, op_axes, keep)
    same = scale_key(x) == scale_key(y)
    op = ReduceSum(axes=op_axes, keepdims=keep, input_zero_point=0 if same else x.zero_point)
    total = call.emit(op, (name,), result, DType.INT32, "sum")
    out_form: Form = form if len(result) == 4 else "plain"
    if same:
        quotient = _divided(call, total, result, count)
        call.finish(narrow(), (quotient,), result, out_form)
        return
    mul, exponent = _mean_multiplier(x.scale / y.scale, count)
    requant = TfliteRequant(
        out=DType.INT8,
        lo=-128,
        hi=127,
        mul=np.array([mul], dtype=np.int64),
        exponent=np.array([exponent], dtype=np.int64),
        zero_point=y.zero_point,
    )
    call.finish(requant, (total,), result, out_form)


def _form(call: Call, axes: list[int], keep: bool) -> Form:
    """Images stay NCHW unless axes would be left over in another order than the file's."""
    rank = len(call.shape(0))
    left = [axis for axis in range(rank) if axis not in axes]
    return call.form(0) if keep or len([a for a in left if a > 0]) <= 1 else "plain"


def _reduced(shape: tuple[int, ...], axes: tuple[int, ...], keep: bool) -> tuple[int, ...]:
    if keep:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _divided(call: Call, total: str, shape: tuple[int, ...], count: int) -> str:
    """``total / count`` truncating: the positive and the negative part are floored apart."""
    halves = [
        call.emit(_floored(count, sign), (total,), shape, DType.INT32, part)
        for sign, part in ((1, "above"), (-1, "below"))
    ]
    return call.emit(Elementwise(function="sub"), halves, shape, DType.INT32, "mean")


def _floored(count: int, sign: int) -> ShiftRequant:
    """``max(0, sign * total) // count``, exact for totals of up to ``128 * count``.

    The multiplier exceeds ``2**shift / count`` by less than ``1 / 2**shift`` of it, which moves
    no quotient across an integer while ``128 * count < 2**shift / count``.
    """
    shift = _RECIPROCAL_BITS + count.bit_length()
    mul = -(-(1 << shift) // count)
    return ShiftRequant(
        out=DType.INT32,
        lo=0,
        hi=DType.INT32.bounds[1],
        mul=np.array([sign * mul], dtype=np.int64),
        add=np.array([0], dtype=np.int64),
        shift=np.array([shift], dtype=np.int64),
    )


def _mean_multiplier(factor: float, count: int) -> tuple[int, int]:
    """The multiplier of ``factor`` divided by ``count``, keeping as many bits as fit."""
    mul, exponent = quantize_multiplier(factor)
    shift = min(count.bit_length() - 1, 32, 31 + exponent)
    return (mul << shift) // count, exponent - shift
