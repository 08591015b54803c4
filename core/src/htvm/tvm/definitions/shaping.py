"""Ops that move elements without changing them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from htvm.ir.graph import Node
from htvm.ir.ops import Concat, Pad, Reshape, Slice, Transpose
from htvm.tvm.definitions.builder import Builder
from htvm.tvm.definitions.values import Expr, const, inside
from htvm.tvm.load import te, tirx


def transpose(builder: Builder, node: Node, op: Transpose) -> Any:
    """Define :class:`~htvm.ir.ops.Transpose`."""
    (source,) = builder.operands(node)

    def moved(*index: Expr) -> Expr:
        return source[tuple(index[op.perm.index(axis)] for axis in range(len(op.perm)))]

    return te.compute(builder.output(node).shape, moved, "view")


def reshape(builder: Builder, node: Node, op: Reshape) -> Any:
    """Define :class:`~htvm.ir.ops.Reshape`."""
    del op
    (source,) = builder.operands(node)
    shape = builder.output(node).shape
    extents = [int(extent) for extent in source.shape]

    def moved(*index: Expr) -> Expr:
        flat: Expr = 0
        for position, extent in zip(index, shape, strict=True):
            flat = flat * extent + position
        return source[_unflatten(flat, extents)]

    return te.compute(shape, moved, "view")


def pad(builder: Builder, node: Node, op: Pad) -> Any:
    """Define :class:`~htvm.ir.ops.Pad`."""
    (source,) = builder.operands(node)
    return padded(source, op.before, op.after, op.value)


def cut(builder: Builder, node: Node, op: Slice) -> Any:
    """Define :class:`~htvm.ir.ops.Slice`."""
    (source,) = builder.operands(node)
    starts = [
        slice(start, stop, step).indices(int(extent))[0]
        for start, stop, step, extent in zip(op.start, op.stop, op.step, source.shape, strict=True)
    ]

    def moved(*index: Expr) -> Expr:
        places = zip(index, starts, op.step, strict=True)
        return source[tuple(position * step + start for position, start, step in places)]

    return te.compute(builder.output(node).shape, moved, "view")


def concat(builder: Builder, node: Node, op: Concat) -> Any:
    """Define :class:`~htvm.ir.ops.Concat`."""
    sources = builder.operands(node)
    axis = op.axis % len(sources[0].shape)
    extents = [int(source.shape[axis]) for source in sources]

    def joined(*index: Expr) -> Expr:
        last = len(sources) - 1
        value = _shifted(sources[last], index, axis, sum(extents[:last]))
        for number in reversed(range(last)):
            start = sum(extents[:number])
            value = tirx.if_then_else(
                index[axis] < start + extents[number],
                _shifted(sources[number], index, axis, start),
                value,
            )
        return value

    return te.compute(builder.output(node).shape, joined, "view")


def padded(source: Any, before: Sequence[int], after: Sequence[int], value: float) -> Any:
    """``source`` with elements of ``value`` around it; itself where there are none."""
    extents = [int(extent) for extent in source.shape]
    axes = [axis for axis in range(len(extents)) if before[axis] or after[axis]]
    if not axes:
        return source
    shape = [low + extent + high for low, extent, high in zip(before, extents, after, strict=True)]

    def moved(*index: Expr) -> Expr:
        shifted = [part - low if low else part for part, low in zip(index, before, strict=True)]
        return tirx.if_then_else(
            inside(shifted, extents, axes), source[tuple(shifted)], const(value, str(source.dtype))
        )

    return te.compute(shape, moved, "padded")


def _unflatten(flat: Expr, extents: Sequence[int]) -> tuple[Expr, ...]:
    index = []
    for axis, extent in enumerate(extents):
        inner = prod(extents[axis + 1 :])
        outermost = axis == 0
        index.append(flat // inner if outermost else (flat // inner) % extent)
    return tuple(index)


def _shifted(source: Any, index: Sequence[Expr], axis: int, start: int) -> Expr:
    moved = list(index)
    moved[axis] = index[axis] - start
    return source[tuple(moved)]
