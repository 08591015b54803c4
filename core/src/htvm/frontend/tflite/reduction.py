"""MEAN."""

from __future__ import annotations

from math import prod

import numpy as np

from htvm.frontend.tflite.call import Call
from htvm.frontend.tflite.multiplier import quantize_multiplier
from htvm.frontend.tflite.scope import Form
from htvm.ir.dtype import DType
from htvm.ir.ops import ReduceSum
from htvm.ir.requant import TfliteRequant


def mean(call: Call) -> None:
    """MEAN over any axes: a sum, and a requantisation that holds the division."""
    x, y = call.scales(0)
    total, count, form = summed(call, DType.INT32, x.zero_point)
    mul, exponent = _divided(x.scale / y.scale, count)
    requant = TfliteRequant(
        out=DType.INT8,
        lo=-128,
        hi=127,
        mul=np.array([mul], dtype=np.int64),
        exponent=np.array([exponent], dtype=np.int64),
        zero_point=y.zero_point,
    )
    call.finish(requant, (total,), call.scope.tensor(total).shape, form)


def summed(call: Call, dtype: DType, zero_point: int) -> tuple[str, int, Form]:
    """The sum over the axes, how many elements each adds, and the order of its axes."""
    shape = call.shape(0)
    file_axes = sorted({call.axis(axis, len(shape), "plain") for axis in call.integers(1)})
    keep = bool(call.operator.flag("KeepDims"))
    form = _form(call, file_axes, keep)
    axes = tuple(sorted(call.axis(axis, len(shape), form) for axis in file_axes))
    name = call.take(0, form)
    result = _reduced(call.scope.tensor(name).shape, axes, keep)
    op = ReduceSum(axes=axes, keepdims=keep, input_zero_point=zero_point)
    total = call.emit(op, (name,), result, dtype, "sum")
    count = prod(shape[axis] for axis in file_axes)
    return total, count, form if len(result) == 4 else "plain"


def _form(call: Call, axes: list[int], keep: bool) -> Form:
    """Images stay NCHW unless axes would be left over in another order than the file's."""
    left = [axis for axis in range(1, len(call.shape(0))) if axis not in axes]
    return call.form(0) if keep or len(left) <= 1 else "plain"


def _reduced(shape: tuple[int, ...], axes: tuple[int, ...], keep: bool) -> tuple[int, ...]:
    if keep:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _divided(factor: float, count: int) -> tuple[int, int]:
    """Multiplier and exponent of ``factor / count``, as the reference divides them.

    It shifts the multiplier up by as many bits as the division takes away, then truncates.
    """
    mul, exponent = quantize_multiplier(factor)
    shift = min(count.bit_length() - 1, 32, 31 + exponent)
    return (mul << shift) // count, exponent - shift
