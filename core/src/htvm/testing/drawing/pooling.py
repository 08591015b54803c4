"""Draws pooling, sums over axes and softmax."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sqrt

import numpy as np

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.ops import Pads, Pair
from htvm.testing.drawing.operands import Operands
from htvm.testing.drawing.products import operand_type, zero_point
from htvm.testing.drawing.sketch import Size, Sketch, Unsuited, Want, whole

_EIGHT = (DType.INT8, DType.UINT8)
_SOFTMAX_BITS = 26


def _no_value() -> float:
    raise Unsuited


def sum_pool(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """Sums over windows."""
    if want.dtype is not DType.INT32:
        raise Unsuited
    kind = operand_type(sketch)
    kernel, stride, pad, extents = _windows(sketch, want)
    x = inputs.take(0, Want(shape=(*want.shape[:2], *extents), dtype=kind), _no_value)
    zero = zero_point(sketch, kind, "pooled zero point")
    op = ops.SumPool2d(kernel=kernel, stride=stride, pad=pad, input_zero_point=zero)
    return sketch.node(op, [x], want, _summed(sketch, x, kernel[0] * kernel[1], zero))


def max_pool(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """Maxima over windows."""
    return _eight_bit_pool(
        sketch,
        inputs,
        want,
        lambda kernel, stride, pad: ops.MaxPool2d(kernel=kernel, stride=stride, pad=pad),
    )


def avg_pool(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """TFLite's averages over windows."""
    lo, hi = want.dtype.bounds if want.dtype in _EIGHT else (0, 0)

    def make(kernel: Pair, stride: Pair, pad: Pads) -> ops.Op:
        return ops.AvgPool2d(kernel=kernel, stride=stride, pad=pad, lo=lo, hi=hi)

    return _eight_bit_pool(sketch, inputs, want, make)


def _eight_bit_pool(
    sketch: Sketch, inputs: Operands, want: Want, make: Callable[[Pair, Pair, Pads], ops.Op]
) -> str:
    if want.dtype not in _EIGHT:
        raise Unsuited
    kernel, stride, pad, extents = _windows(sketch, want)
    shape = (*want.shape[:2], *extents)
    x = inputs.take(0, Want(shape=shape, dtype=want.dtype), _no_value)
    return sketch.node(make(kernel, stride, pad), [x], want, sketch.size(x))


def _windows(sketch: Sketch, want: Want) -> tuple[Pair, Pair, Pads, Pair]:
    """Kernel, stride, padding and the image they need."""
    if len(want.shape) != 4:
        raise Unsuited
    kernel = sketch.deck.pick("pooled", ((2, 2), (3, 3), (1, 4), (5, 2), (8, 8), (1, 1)))
    stride = sketch.deck.pick("pool stride", ((2, 2), (1, 1), (3, 2)))
    padded = sketch.deck.pick("pool padding", (False, True))
    ends = []
    for axis in (0, 1):
        before = int(sketch.deck.rng.integers(0, kernel[axis])) if padded else 0
        after = int(sketch.deck.rng.integers(0, kernel[axis])) if padded else 0
        extent = (want.shape[2 + axis] - 1) * stride[axis] + kernel[axis] - before - after
        if extent < 1:
            before, after, extent = 0, 0, extent + before + after
        ends.append((extent, before, after))
    (rows, top, bottom), (columns, left, right) = ends
    return kernel, stride, (top, left, bottom, right), (rows, columns)


def reduce_sum(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """Sums over one axis or, where two have extent 1, over those."""
    if want.dtype is not DType.INT32:
        raise Unsuited
    kind = operand_type(sketch)
    ones = tuple(axis for axis, extent in enumerate(want.shape) if axis and extent == 1)
    keep = bool(ones) and sketch.deck.pick("kept axes", (True, False))
    axes = ones if keep else (int(sketch.deck.rng.integers(1, len(want.shape) + 1)),)
    shape, count = list(want.shape), 1
    for axis in axes:
        extent = sketch.deck.pick("summed", (4, 7, 1, 8, 9))
        shape[axis : axis + keep] = [extent]
        count *= extent
    zero = zero_point(sketch, kind, "summed zero point")
    x = inputs.take(0, Want(shape=tuple(shape), dtype=kind), _no_value)
    op = ops.ReduceSum(axes=axes, keepdims=keep, input_zero_point=zero)
    return sketch.node(op, [x], want, _summed(sketch, x, count, zero))


def _summed(sketch: Sketch, x: str, count: int, zero: int) -> Size:
    size = sketch.size(x)
    return Size(
        spread=sqrt(count) * size.spread + count * abs(zero), bound=count * (size.bound + abs(zero))
    )


def softmax_tflite(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """TFLite's int8 softmax."""
    if want.dtype is not DType.INT8 or not want.shape:
        raise Unsuited
    scale = sketch.deck.pick("softmax scale", (0.05, 0.3, 0.0039))
    mantissa, left = np.frexp(scale * 2.0**_SOFTMAX_BITS)
    most = int((2**5 - 1) * 2.0 ** (31 - 5) / 2.0**left)
    op = ops.SoftmaxTflite(
        mul=min(int(np.rint(mantissa * 2**31)), 2**31 - 1), left_shift=int(left), diff_min=-most
    )
    x = inputs.take(0, want, _no_value)
    return sketch.node(op, [x], want, whole(want.dtype))


def softmax_table(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """Softmax in float32 by a table."""
    if want.dtype is not DType.FLOAT32 or not want.shape:
        raise Unsuited
    scale = sketch.deck.pick("softmax scale", (0.05, 0.3, 0.0039))
    table = np.exp(-np.arange(256) * scale).astype(np.float32)
    axis = int(sketch.deck.rng.integers(len(want.shape)))
    x = inputs.take(0, want.like(operand_type(sketch)), _no_value)
    return sketch.node(ops.SoftmaxTable(table=table, axis=axis), [x], want, whole(want.dtype))


def qlinear_softmax(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """Onnxruntime's quantised softmax."""
    if want.dtype not in _EIGHT or not want.shape:
        raise Unsuited
    scale = sketch.deck.pick("softmax scale", (0.05, 0.3, 0.0039))
    table = np.array([exp((code - 255) * scale) for code in range(256)], np.float32)
    op = ops.QLinearSoftmax(
        table=table,
        scale=256.0,
        zero_point=want.dtype.bounds[0],
        axis=int(sketch.deck.rng.integers(len(want.shape))),
    )
    x = inputs.take(0, want, _no_value)
    return sketch.node(op, [x], want, whole(want.dtype))
