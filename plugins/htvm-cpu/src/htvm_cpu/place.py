"""C expressions for where a layout puts an element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from htvm.api import Axis, Layout, channels_last, row_major
from htvm_cpu.text import Lines, loop

Indices = Sequence[str]
Shape = tuple[int, ...]

_IMAGE_AXES = ("n", "c", "y", "x")


def element(layout: Layout, indices: Indices) -> str:
    """C expression of the element address of logical ``indices``, themselves C expressions."""
    terms = [_term(axis, index) for axis, index in zip(layout.axes, indices, strict=True)]
    total = " + ".join(term for term in terms if term != "0") or "0"
    if layout.word_bytes == 1:
        return total
    return f"{_closed(total)} ^ {layout.word_bytes - 1}"


def _term(axis: Axis, index: str) -> str:
    if axis.stride == 0 and axis.block == 1:
        return "0"
    if index.isdigit():
        return str(int(axis.positions(int(index) + 1)[-1]))
    place = f"({index} + {axis.offset})" if axis.offset else _closed(index)
    if axis.block == 1:
        return place if axis.stride == 1 else f"{place} * {axis.stride}"
    return f"{place} / {axis.block} * {axis.stride} + {place} % {axis.block} * {axis.inner}"


def _closed(index: str) -> str:
    return index if index.isidentifier() else f"({index})"


def index_names(shape: Shape) -> tuple[str, ...]:
    """A loop variable per axis; ``"0"`` where the axis has a single index."""
    names = _IMAGE_AXES if len(shape) == 4 else tuple(f"i{axis}" for axis in range(len(shape)))
    return tuple(name if extent > 1 else "0" for name, extent in zip(names, shape, strict=True))


def loop_order(layout: Layout, shape: Shape) -> tuple[int, ...]:
    """Axes from the outermost loop to the innermost, so that addresses grow slowest outside."""
    return tuple(sorted(range(len(shape)), key=lambda axis: -_reach(layout.axes[axis])))


def _reach(axis: Axis) -> int:
    return max(axis.stride, axis.inner)


def nest(shape: Shape, order: Sequence[int], names: Indices, body: Sequence[str]) -> Lines:
    """Loops over all indices of ``shape``, the last axis of ``order`` innermost."""
    lines = list(body)
    for axis in reversed(order):
        if shape[axis] > 1:
            lines = loop(names[axis], shape[axis], lines)
    return lines


def free_elements(layout: Layout, shape: Shape) -> bool:
    """Whether the buffer has elements that no index maps to."""
    extent = 1
    for length in shape:
        extent *= length
    return layout.size != extent


def fill_lines(layout: Layout, shape: Shape, buffer: str) -> Lines:
    """Statements that give the free elements their value; nothing where they may hold anything."""
    if layout.fill is None or not free_elements(layout, shape):
        return []
    return loop("i", layout.size, [f"{buffer}[i] = {layout.fill};"])


def home(shape: Shape) -> Layout:
    """The layout the kernels like best: channels last for images, else row-major."""
    return channels_last(shape) if len(shape) == 4 and shape[0] == 1 else row_major(shape)


def loose(layout: Layout) -> Layout:
    """The same places with free elements that may hold anything: what a reader asks for."""
    return replace(layout, fill=None)


def choices(
    offered: Sequence[Layout], shape: Shape, *, read: bool, usable: Callable[[Layout], bool]
) -> tuple[Layout, ...]:
    """The home layout, then every other usable one on offer, each once."""
    wanted = [loose(layout) if read else layout for layout in offered]
    return tuple(dict.fromkeys((home(shape), *(layout for layout in wanted if usable(layout)))))
