"""Copies with every address a constant: for layouts whose bytes are reversed within words.

The innermost axes of a box are spelled out element by element, the rest are loops. That needs the
loops to step over whole words, so that reversal stays inside what is spelled out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from htvm.api import Axis, Layout
from htvm_cpu import helpers
from htvm_cpu.place import Shape, element, index_names, nest
from htvm_cpu.text import Lines, grouped_copies, loop, plus

_MOST_ELEMENTS = 64
_WORD = 4
_CHUNKS = (16, 8, 4)


@dataclass(frozen=True, kw_only=True)
class Block:
    """What is spelled out.

    Attributes:
        axes: Axes spelled out whole, or a single one in part.
        extents: How many indices of each.
        source: Addresses read, from that of the block's first element.
        target: Addresses written, likewise.
        free: Addresses of free elements behind the block's rows.
    """

    axes: tuple[int, ...]
    extents: tuple[int, ...]
    source: tuple[int, ...]
    target: tuple[int, ...]
    free: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A whole tensor to copy.

    Attributes:
        shape: Its shape.
        source: Layout read.
        target: Layout written.
        order: Axes, outermost first.
        tail: Free elements to write behind each row along the innermost axis.
    """

    shape: Shape
    source: Layout
    target: Layout
    order: tuple[int, ...]
    tail: int


def find_block(box: Box) -> Block | None:
    """The largest block worth spelling out, or None when no block starts with whole words."""
    inner = [axis for axis in reversed(box.order) if box.shape[axis] > 1]
    best: dict[int, int] = {}
    for count, axis in enumerate(inner):
        whole = {before: box.shape[before] for before in inner[:count]}
        for extent in (box.shape[axis], *_CHUNKS):
            extents = {**whole, axis: extent}
            if prod(extents.values()) > max(_MOST_ELEMENTS, prod(best.values())):
                continue
            if _is_block(box, inner[0], extents) and prod(extents.values()) > prod(best.values()):
                best = extents
    return _block(box, best) if best else None


def _is_block(box: Box, inner: int, extents: Mapping[int, int]) -> bool:
    """Whether the axes divide, rows end where their free elements start, and words stay whole."""
    divides = all(box.shape[axis] % extent == 0 for axis, extent in extents.items())
    whole_rows = box.tail == 0 or extents[inner] == box.shape[inner]
    return divides and whole_rows and _word_aligned(box, extents)


def _word_aligned(box: Box, extents: Mapping[int, int]) -> bool:
    """Whether the loops around a block step over whole words in both layouts."""
    for layout in (box.source, box.target):
        for number, axis in enumerate(layout.axes):
            step = extents.get(number, 1)
            if step == box.shape[number] and (number in extents or not axis.offset):
                continue
            if (
                axis.block != 1
                or (axis.stride * step | axis.stride * axis.offset) % layout.word_bytes
            ):
                return False
    return True


def _block(box: Box, extents: Mapping[int, int]) -> Block:
    axes = tuple(extents)
    inner, length = axes[0], extents[axes[0]]
    kept = tuple(extents.get(axis, 1) for axis in range(len(box.shape)))
    rows = tuple(extent + box.tail * (axis == inner) for axis, extent in enumerate(kept))
    writes = np.moveaxis(_addresses(box.target, rows, axes), inner, -1)
    reads = np.moveaxis(_addresses(box.source, kept, axes), inner, -1)
    return Block(
        axes=axes,
        extents=tuple(extents.values()),
        source=tuple(reads.reshape(-1).tolist()),
        target=tuple(writes[..., :length].reshape(-1).tolist()),
        free=tuple(writes[..., length:].reshape(-1).tolist()),
    )


def _addresses(
    layout: Layout, shape: Shape, axes: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Addresses of the block's elements; offsets of the axes that are loops stay with the loops."""
    own = tuple(
        axis if number in axes else Axis(stride=0) for number, axis in enumerate(layout.axes)
    )
    return replace(layout, axes=own).addresses(shape)


def block_lines(box: Box, spelled: Block, buffers: tuple[str, str], kind: str) -> Lines:
    """Loops over the other axes around the block.

    Args:
        box: The tensor.
        spelled: What is spelled out.
        buffers: C names of the buffers read and written.
        kind: C type of an element.
    """
    names = index_names(box.shape)
    reads, writes = (
        f"{buffer} + {_start(box, spelled, layout, names)}".removesuffix(" + 0")
        for buffer, layout in zip(buffers, (box.source, box.target), strict=True)
    )
    body = [
        f"const {kind} *from = {reads};",
        f"{kind} *to = {writes};",
        *_moves(kind, list(zip(spelled.source, spelled.target, strict=True))),
        *(f"to[{write}] = {box.target.fill};" for write in spelled.free),
    ]
    for axis, extent in zip(spelled.axes, spelled.extents, strict=True):
        if extent != box.shape[axis]:
            body = loop(names[axis], box.shape[axis], body, step=extent)
    outer = [axis for axis in box.order if axis not in spelled.axes]
    return nest(box.shape, outer, names, body)


def _moves(kind: str, moves: Sequence[tuple[int, int]]) -> Lines:
    """A call for each word whose bytes change ends, and what is left element by element.

    Args:
        kind: C type of an element.
        moves: Address read and address written of each element.
    """
    lines: Lines = []
    rest: list[tuple[int, int]] = []
    for first in range(0, len(moves), _WORD):
        word = sorted(moves[first : first + _WORD])
        read, write = word[0][0], word[-1][1]
        turned = [(read + number, write + _WORD - 1 - number) for number in range(_WORD)]
        if word == turned and kind in helpers.REVERSE:
            lines.append(f"htvm_reverse_{kind}({plus('to', write)}, {plus('from', read)});")
        else:
            rest += moves[first : first + _WORD]
    return lines + grouped_copies(kind, [(f"to[{to}]", f"from[{at}]") for at, to in rest])


def _start(box: Box, spelled: Block, layout: Layout, names: Sequence[str]) -> str:
    """Address of a block's first element, its own offsets left to the constants inside."""
    axes = list(layout.axes)
    for axis, extent in zip(spelled.axes, spelled.extents, strict=True):
        whole = extent == box.shape[axis]
        axes[axis] = Axis(stride=0) if whole else replace(axes[axis], offset=0)
    return element(replace(layout, axes=tuple(axes), word_bytes=1), names)
