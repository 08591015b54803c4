"""Pools and reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from htvm.ir.dtype import DType
from htvm.ir.graph import Node
from htvm.ir.ops import AvgPool2d, MaxPool2d, ReduceSum, SumPool2d
from htvm.tvm.definitions.builder import Builder
from htvm.tvm.definitions.shaping import padded
from htvm.tvm.definitions.values import Expr, cast, clip_to, const, minus, signed, unsigned
from htvm.tvm.load import te, tirx

_LEAST_FLOAT32 = -float.fromhex("0x1.fffffep127")
Reducer = Callable[..., Any]
_Pool = MaxPool2d | SumPool2d | AvgPool2d


def max_pool2d(builder: Builder, node: Node, op: MaxPool2d) -> Any:
    """Define :class:`~htvm.ir.ops.MaxPool2d`."""
    out = builder.output(node)
    least = _LEAST_FLOAT32 if out.dtype is DType.FLOAT32 else out.dtype.bounds[0]
    image = _image(builder, node, op, least)
    greatest = _windows(image, op, out.shape, te.max, lambda value: value)
    return te.compute(out.shape, lambda *i: greatest[i], "view")


def sum_pool2d(builder: Builder, node: Node, op: SumPool2d) -> Any:
    """Define :class:`~htvm.ir.ops.SumPool2d`."""
    zero = op.input_zero_point
    shape = builder.output(node).shape
    image = _image(builder, node, op, zero)
    if builder.output(node).dtype is DType.FLOAT32:
        return _windows(image, op, shape, te.sum, lambda value: value)
    sums = _windows(image, op, shape, te.sum, lambda value: unsigned(minus(value, zero)))
    return te.compute(shape, lambda *i: signed(sums[i]), "acc")


def avg_pool2d(builder: Builder, node: Node, op: AvgPool2d) -> Any:
    """Define :class:`~htvm.ir.ops.AvgPool2d`."""
    out = builder.output(node)
    (source,) = builder.operands(node)
    image = _image(builder, node, op, 0)
    sums = _windows(image, op, out.shape, te.sum, lambda value: cast(value, "int32"))

    def extent(position: Expr, axis: int) -> Expr:
        start = position * op.stride[axis] - op.pad[axis]
        end = tirx.min(start + op.kernel[axis], int(source.shape[2 + axis]))
        return end - tirx.max(start, 0)

    def mean(*index: Expr) -> Expr:
        total, count = sums[index], extent(index[2], 0) * extent(index[3], 1)
        half = tirx.truncdiv(count, const(2, "int32"))
        nudged = tirx.Select(total > 0, total + half, total - half)
        return clip_to(tirx.truncdiv(nudged, count), op.lo, op.hi, out.dtype)

    return te.compute(out.shape, mean, "mean")


def reduce_sum(builder: Builder, node: Node, op: ReduceSum) -> Any:
    """Define :class:`~htvm.ir.ops.ReduceSum`."""
    (source,) = builder.operands(node)
    rank = len(source.shape)
    is_float = builder.output(node).dtype is DType.FLOAT32
    axes = {axis % rank for axis in op.axes}
    reduced = {
        axis: te.reduce_axis((0, int(source.shape[axis])), f"r{axis}") for axis in sorted(axes)
    }

    def term(index: Sequence[Expr]) -> Expr:
        kept = iter(index if not op.keepdims else _without(index, axes))
        place = tuple(reduced[axis] if axis in axes else next(kept) for axis in range(rank))
        if is_float:
            return source[place]
        return unsigned(minus(source[place], op.input_zero_point))

    shape = builder.output(node).shape
    sums = te.compute(shape, lambda *i: te.sum(term(i), axis=list(reduced.values())), "sums")
    if is_float:
        return sums
    return te.compute(shape, lambda *i: signed(sums[i]), "acc")


def _without(index: Sequence[Expr], axes: set[int]) -> list[Expr]:
    return [part for axis, part in enumerate(index) if axis not in axes]


def _windows(
    image: Any, op: _Pool, shape: tuple[int, ...], reducer: Reducer, element: Callable[[Expr], Expr]
) -> Any:
    """A reduction over every window of a padded image."""
    ky = te.reduce_axis((0, op.kernel[0]), "ky")
    kx = te.reduce_axis((0, op.kernel[1]), "kx")

    def window(n: Expr, c: Expr, y: Expr, x: Expr) -> Expr:
        tap = image[n, c, y * op.stride[0] + ky, x * op.stride[1] + kx]
        return reducer(element(tap), axis=[ky, kx])

    return te.compute(shape, window, "window")


def _image(builder: Builder, node: Node, op: _Pool, background: float) -> Any:
    (source,) = builder.operands(node)
    top, left, bottom, right = op.pad
    return padded(source, (0, 0, top, left), (0, 0, bottom, right), background)
