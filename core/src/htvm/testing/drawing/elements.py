"""Draws element-wise ops and ops that move elements."""

from __future__ import annotations

from math import prod
from typing import Literal

import numpy as np
import numpy.typing as npt

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.testing.drawing.operands import Operands
from htvm.testing.drawing.products import operand_type
from htvm.testing.drawing.sketch import Size, Sketch, Unsuited, Want, whole

Function = Literal["add", "sub", "mul", "max"]

_EIGHT = (DType.INT8, DType.UINT8)
_FUNCTIONS: tuple[Function, ...] = ("add", "add", "add", "sub", "mul", "max")
_SCALINGS: tuple[Function, ...] = ("mul", "mul", "mul", "add")
_WIDER = {DType.INT32: (DType.INT8, DType.UINT8), DType.FLOAT32: (DType.INT32, DType.INT8)}


def no_value() -> npt.ArrayLike:
    """For operands that are never constant."""
    raise Unsuited


def elementwise(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """A function of two tensors, the second sometimes broadcast."""
    if want.dtype not in {DType.INT32, DType.FLOAT32}:
        raise Unsuited
    scaled = inputs.is_constant(1)
    functions = _SCALINGS if scaled else _FUNCTIONS
    op = ops.Elementwise(function=sketch.deck.pick(f"function {scaled}", functions))
    other = want
    if scaled or sketch.deck.pick("broadcast", (False, False, False, True)):
        channels = tuple(extent if axis == 1 else 1 for axis, extent in enumerate(want.shape))
        shape = sketch.deck.pick(
            "operand", (channels, (1,) * len(want.shape), (1,) * len(want.shape))
        )
        other = Want(shape=shape, dtype=want.dtype)
    a = inputs.take(0, want, lambda: _numbers(sketch, want))
    b = inputs.take(1, other, lambda: _numbers(sketch, other))
    sizes = sketch.size(a), sketch.size(b)
    total = Size(spread=sum(size.spread for size in sizes), bound=sum(size.bound for size in sizes))
    if op.function == "mul":
        total = Size(
            spread=sizes[0].spread * sizes[1].spread, bound=sizes[0].bound * sizes[1].bound
        )
    limit = whole(want.dtype).bound if want.dtype is DType.INT32 else total.bound
    return sketch.node(
        op, [a, b], want, Size(spread=min(total.spread, limit), bound=min(total.bound, limit))
    )


def _numbers(sketch: Sketch, want: Want) -> npt.ArrayLike:
    if want.dtype is DType.FLOAT32:
        return sketch.deck.rng.uniform(-2, 2, want.shape).astype(np.float32)
    greatest = sketch.deck.pick("constants", (1, 1, 4, 100))
    return sketch.deck.rng.integers(-greatest, greatest, want.shape, endpoint=True)


def cast(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """A conversion to a wider type."""
    if want.dtype not in _WIDER:
        raise Unsuited
    kinds = [kind for kind in _WIDER[want.dtype] if kind in sketch.contract.input_types]
    x = inputs.take(0, want.like(sketch.deck.pick("cast", kinds or _WIDER[want.dtype])), no_value)
    return sketch.node(ops.Cast(out=want.dtype), [x], want, sketch.size(x))


def clip(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """Elements kept within a range."""
    x = inputs.take(0, want, no_value)
    size = sketch.size(x)
    top: float = 0.3 * size.spread
    if want.dtype.is_integer:
        top = min(round(size.spread), want.dtype.bounds[1])
    least = 0 if want.dtype is DType.UINT8 else sketch.deck.pick("least", (0, -top))
    return sketch.node(ops.Clip(lo=least, hi=top), [x], want, Size(spread=top / 2, bound=top))


def lut(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """A table of 256 entries."""
    if not want.dtype.is_integer:
        raise Unsuited
    least, greatest = (max(-(2**20), want.dtype.bounds[0]), min(2**20, want.dtype.bounds[1]))
    table = sketch.deck.rng.integers(least, greatest, 256, endpoint=True).astype(want.dtype.numpy)
    x = inputs.take(0, want.like(operand_type(sketch)), no_value)
    return sketch.node(ops.Lut(table=table, out=want.dtype), [x], want, whole(want.dtype))


def quantize(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """Floats to eight bits."""
    if want.dtype not in _EIGHT:
        raise Unsuited
    x = inputs.take(0, want.like(DType.FLOAT32), no_value)
    lo, hi = want.dtype.bounds
    op = ops.Quantize(
        scale=np.array([max(sketch.size(x).spread, 1e-6) / 50], np.float32),
        zero_point=sketch.deck.pick("quantised zero", (0, lo, 5)),
        out=want.dtype,
        lo=lo,
        hi=hi,
        rounding=sketch.deck.pick("ties", ("even", "away")),
    )
    return sketch.node(op, [x], want, whole(want.dtype))


def dequantize(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """Integers to floats."""
    if want.dtype is not DType.FLOAT32:
        raise Unsuited
    kind = sketch.deck.pick("dequantised", (*sketch.contract.input_types, DType.INT32))
    x = inputs.take(0, want.like(kind), no_value)
    zero = 0 if kind is DType.INT32 else sketch.deck.pick("dequantised zero", (0, 3))
    scale = np.array([1.0 / max(sketch.size(x).spread, 1.0)], np.float32)
    op = ops.Dequantize(scale=scale, zero_point=zero)
    return sketch.node(op, [x], want, Size(spread=1.0, bound=4.0))


def transpose(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """Axes in another order."""
    perm = (0, *(1 + int(axis) for axis in sketch.deck.rng.permutation(len(want.shape) - 1)))
    shape = [0] * len(perm)
    for place, axis in enumerate(perm):
        shape[axis] = want.shape[place]
    x = inputs.take(0, Want(shape=tuple(shape), dtype=want.dtype), no_value)
    return sketch.node(ops.Transpose(perm=perm), [x], want, sketch.size(x))


def reshape(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """An image, flattened or otherwise of another shape."""
    count = prod(want.shape)
    rows = max(size for size in (1, 2, 3, 4, 5, 7, 8) if count % size == 0)
    rest = count // rows
    columns = max(size for size in (1, 2, 3, 4, 5) if rest % size == 0)
    shape = (1, rest // columns, rows, columns)
    x = inputs.take(0, Want(shape=shape, dtype=want.dtype), no_value)
    return sketch.node(ops.Reshape(shape=want.shape), [x], want, sketch.size(x))


def pad(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """Elements added around."""
    before, after, shape = [0], [0], [want.shape[0]]
    for extent in want.shape[1:]:
        ends = sketch.deck.rng.integers(0, 1 + min(3, (extent - 1) // 2), 2)
        before.append(int(ends[0]))
        after.append(int(ends[1]))
        shape.append(extent - int(ends.sum()))
    least, greatest = want.dtype.bounds if want.dtype.is_integer else (0, 0)
    op = ops.Pad(
        before=tuple(before),
        after=tuple(after),
        value=sketch.deck.pick("padded with", (0, max(-128, least), min(127, greatest))),
    )
    x = inputs.take(0, Want(shape=tuple(shape), dtype=want.dtype), no_value)
    return sketch.node(op, [x], want, sketch.size(x))


def cut(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """A part, with steps."""
    start, stop, step, shape = [0], [want.shape[0]], [1], [want.shape[0]]
    for extent in want.shape[1:]:
        first, stride = int(sketch.deck.rng.integers(0, 3)), int(sketch.deck.rng.integers(1, 3))
        end = first + (extent - 1) * stride + 1
        start.append(first)
        step.append(stride)
        stop.append(end)
        shape.append(end + int(sketch.deck.rng.integers(0, 2)))
    op = ops.Slice(start=tuple(start), stop=tuple(stop), step=tuple(step))
    x = inputs.take(0, Want(shape=tuple(shape), dtype=want.dtype), no_value)
    return sketch.node(op, [x], want, sketch.size(x))


def concat(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """Tensors joined along an axis long enough to be shared out."""
    parts = inputs.all_computed()
    axes = [axis for axis, extent in enumerate(want.shape) if axis and extent >= parts]
    if not axes:
        raise Unsuited
    axis = sketch.deck.pick("joined axis", axes)
    cuts = sketch.deck.rng.permutation(want.shape[axis] - 1)[: parts - 1] + 1
    edges = [0, *sorted(int(place) for place in cuts), want.shape[axis]]
    names = []
    for index in range(parts):
        shape = list(want.shape)
        shape[axis] = edges[index + 1] - edges[index]
        names.append(inputs.take(index, Want(shape=tuple(shape), dtype=want.dtype), no_value))
    return sketch.node(ops.Concat(axis=axis), names, want, sketch.size(names[0]))
