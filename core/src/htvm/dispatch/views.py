"""Transposes and reshapes of a layout: the same bytes under another logical shape."""

from __future__ import annotations

from math import prod

from htvm.errors import InternalError
from htvm.ir import ops
from htvm.ir.layout import Axis, Layout
from htvm.ir.ops import Op

Shape = tuple[int, ...]
Digit = tuple[int, int]
"""Extent and stride of one loop over a layout, in elements."""


def is_view(op: Op) -> bool:
    """Whether the op only renames elements."""
    return isinstance(op, ops.Transpose | ops.Reshape)


def forward(op: Op, layout: Layout, before: Shape, after: Shape) -> Layout | None:
    """How the op's result lies in a buffer that holds its input; None if no layout says it."""
    if isinstance(op, ops.Transpose):
        return layout.transposed(op.perm)
    if isinstance(op, ops.Reshape):
        return reshaped(layout, before, after)
    raise InternalError(f"{op.kind} is no view")


def backward(op: Op, layout: Layout, before: Shape, after: Shape) -> Layout | None:
    """How the op's input must lie for its result to have ``layout``; None if it cannot."""
    if isinstance(op, ops.Transpose):
        inverse = tuple(op.perm.index(axis) for axis in range(len(op.perm)))
        return layout.transposed(inverse)
    return reshaped(layout, after, before)


def reshaped(layout: Layout, before: Shape, after: Shape) -> Layout | None:
    """The layout of shape ``after`` that places each element, in row-major order, as this does.

    Axes are split and merged where the bytes allow it; an axis with an offset stays as it is.
    """
    axes: dict[int, Axis] = {}
    for old, new in _groups(before, after):
        if len(old) == len(new) == 1:
            axes[new[0]] = layout.axes[old[0]]
            continue
        parts = [_digits(layout.axes[axis], before[axis]) for axis in old]
        known = [part for part in parts if part is not None]
        digits = _merged([digit for part in known for digit in part])
        found = _split(digits, [after[axis] for axis in new]) if known == parts else None
        if found is None:
            return None
        axes.update(zip(new, found, strict=True))
    lone = [layout.axes[axis] for axis, extent in enumerate(before) if extent == 1]
    if any(int(axis.positions(1)[0]) for axis in lone):
        return None
    flat = Axis(stride=0)
    return Layout(
        name=layout.name,
        axes=tuple(axes.get(axis, flat) for axis in range(len(after))),
        size=layout.size,
        word_bytes=layout.word_bytes,
        fill=layout.fill,
    )


def _groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of axes, extent 1 left out, that hold equally many elements."""
    old = [axis for axis, extent in enumerate(before) if extent != 1]
    new = [axis for axis, extent in enumerate(after) if extent != 1]
    groups: list[tuple[list[int], list[int]]] = []
    while old:
        left, right = [old.pop(0)], [new.pop(0)]
        while (held := prod(before[a] for a in left)) != (want := prod(after[a] for a in right)):
            if held < want:
                left.append(old.pop(0))
            else:
                right.append(new.pop(0))
        groups.append((left, right))
    return groups


def _digits(axis: Axis, extent: int) -> list[Digit] | None:
    if axis.offset:
        return None
    if axis.block == 1:
        return [(extent, axis.stride)]
    if extent <= axis.block:
        return [(extent, axis.inner)]
    if extent % axis.block:
        return None
    return [(extent // axis.block, axis.stride), (axis.block, axis.inner)]


def _merged(digits: list[Digit]) -> list[Digit]:
    result: list[Digit] = []
    for extent, stride in digits:
        if result and result[-1][1] == extent * stride:
            result[-1] = (result[-1][0] * extent, stride)
        else:
            result.append((extent, stride))
    return result


def _split(digits: list[Digit], extents: list[int]) -> list[Axis] | None:
    """Deal the digits out to axes of these extents, innermost first."""
    left = list(digits)
    axes: list[Axis] = []
    for extent in reversed(extents):
        taken = _take(left, extent)
        if taken is None or len(taken) > 2:
            return None
        inner = taken[0]
        outer = taken[-1]
        axes.append(
            Axis(stride=inner[1])
            if len(taken) == 1
            else Axis(stride=outer[1], block=inner[0], inner=inner[1])
        )
    return axes[::-1]


def _take(left: list[Digit], extent: int) -> list[Digit] | None:
    taken: list[Digit] = []
    while extent > 1:
        size, stride = left.pop()
        if extent % size == 0:
            taken.append((size, stride))
            extent //= size
        elif size % extent == 0:
            taken.append((extent, stride))
            left.append((size // extent, stride * extent))
            extent = 1
        else:
            return None
    return taken
