"""The bytes that part of a tensor takes in a layout."""

from __future__ import annotations

from collections.abc import Sequence

from htvm.errors import InternalError
from htvm.ir.layout import Axis, Layout
from htvm.target.program import Span

_Level = tuple[int, int]
"""How many, and how far apart in elements."""


def slab(buffer: str, layout: Layout, ranges: Sequence[range], *, element_bytes: int = 1) -> Span:
    """The bytes of a box of indices, as few and as long runs as the layout allows.

    Args:
        buffer: Name of the buffer the tensor lies in.
        layout: Its layout.
        ranges: For each axis, the indices wanted. On an axis in blocks they are whole blocks, or
            lie within one.
        element_bytes: Size of an element.

    Raises:
        InternalError: A range starts or ends inside a block, or the layout reverses bytes.
    """
    if layout.word_bytes != 1:
        raise InternalError(f"layout {layout.name} reverses bytes, which no box of it keeps whole")
    levels: list[_Level] = []
    first = 0
    for axis, indices in zip(layout.axes, ranges, strict=True):
        block, lane = divmod(indices.start + axis.offset, axis.block)
        first += block * axis.stride + lane * axis.inner
        levels += _levels(layout, axis, indices)
    run, repeats = _joined(levels)
    return Span(
        buffer=buffer,
        offset_bytes=first * element_bytes,
        run_bytes=run * element_bytes,
        repeats=tuple((count, stride * element_bytes) for count, stride in repeats),
    )


def _levels(layout: Layout, axis: Axis, indices: range) -> list[_Level]:
    start, count = indices.start + axis.offset, len(indices)
    if axis.block == 1:
        return [(count, axis.stride)]
    if start % axis.block + count <= axis.block:
        return [(count, axis.inner)]
    if start % axis.block or count % axis.block:
        raise InternalError(f"{count} indices from {start} on split a block of {layout.name}")
    return [(count // axis.block, axis.stride), (axis.block, axis.inner)]


def _joined(levels: list[_Level]) -> tuple[int, tuple[_Level, ...]]:
    """The contiguous run, and what repeats it, outermost first; levels that continue are one."""
    run = 1
    repeats: list[_Level] = []
    for count, stride in sorted(
        ((count, stride) for count, stride in levels if count > 1), key=lambda level: level[1]
    ):
        if not repeats and stride == run:
            run *= count
        elif repeats and stride == repeats[-1][0] * repeats[-1][1]:
            repeats[-1] = (repeats[-1][0] * count, repeats[-1][1])
        else:
            repeats.append((count, stride))
    return run, tuple(reversed(repeats))
