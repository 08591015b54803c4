"""Copies between layouts: loops, whole runs, and rows with reversed words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from htvm.api import Axis, DType, Layout
from htvm_cpu import cycles
from htvm_cpu.host import Host
from htvm_cpu.place import Shape, element, free_elements, index_names, loop_order, nest
from htvm_cpu.text import Lines, integer, loop, plus, real
from htvm_cpu.unrolled import Block, Box, block_lines, find_block


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A box of elements to copy.

    Attributes:
        shape: Its extents.
        dtype: Element type.
        source: Layout read.
        target: Layout written.
        source_start: Index in the source of the box's first element.
        source_step: Distance between elements in the source.
        target_start: Index in the target of the box's first element.
    """

    shape: Shape
    dtype: DType
    source: Layout
    target: Layout
    source_start: Shape = ()
    source_step: Shape = ()
    target_start: Shape = ()

    @property
    def inner(self) -> int | None:
        """The axis whose elements the target holds side by side, if there is one."""
        for axis in reversed(loop_order(self.target, self.shape)):
            if self.shape[axis] > 1:
                return axis if self.target.axes[axis] == _unit(self.target.axes[axis]) else None
        return None

    @property
    def is_run(self) -> bool:
        """Whether rows along the inner axis are the same bytes on both sides."""
        plain = self.source.word_bytes == self.target.word_bytes == 1
        return self._reads_side_by_side and plain

    @property
    def _reads_side_by_side(self) -> bool:
        if self.inner is None or (self.source_step and self.source_step[self.inner] != 1):
            return False
        return self.source.axes[self.inner] == _unit(self.source.axes[self.inner])


def _unit(axis: Axis) -> Axis:
    return Axis(stride=1, offset=axis.offset)


def is_same_buffer(shape: Shape, source: Layout, target: Layout) -> bool:
    """Whether both layouts are dense and place every element alike."""
    return source == target and not free_elements(source, shape)


def fill_buffer(layout: Layout, shape: Shape, dtype: DType, buffer: str = "out") -> Lines:
    """Give free elements their value before the others are written."""
    if layout.fill is None or not free_elements(layout, shape):
        return []
    if dtype.size_bytes == 1:
        return [f"memset({buffer}, {layout.fill}, {layout.size});"]
    return loop("i", layout.size, [f"{buffer}[i] = {layout.fill};"])


def tail_of_rows(copy: Copy) -> int:
    """Free elements behind each row, if there are no others; else 0."""
    inner, target = copy.inner, copy.target
    if inner is None or target.fill is None or any(copy.target_start):
        return 0
    outer = [
        (axis.stride, extent)
        for number, (axis, extent) in enumerate(zip(target.axes, copy.shape, strict=True))
        if number != inner and extent > 1
    ]
    pitch = target.size
    for stride, extent in sorted(outer, reverse=True):
        if stride * extent != pitch:
            return 0
        pitch = stride
    plain = all(axis.block == 1 and axis.offset == 0 for axis in target.axes)
    return pitch - copy.shape[inner] if plain else 0


def _box(copy: Copy) -> Box:
    return Box(
        shape=copy.shape,
        source=copy.source,
        target=copy.target,
        order=loop_order(copy.target, copy.shape),
        tail=tail_of_rows(copy),
    )


def _spelled_out(copy: Copy) -> Block | None:
    """The block of constant addresses, for copies of whole tensors."""
    if copy.source_start or copy.source_step or copy.target_start or copy.inner is None:
        return None
    return find_block(_box(copy))


def copy_lines(copy: Copy, host: Host, *, source: str = "in0", target: str = "out") -> Lines:
    """The loops that copy a box."""
    order = loop_order(copy.target, copy.shape)
    names = index_names(copy.shape)
    if copy.is_run and not host.is_scalar:
        fixed = tuple("0" if axis == copy.inner else name for axis, name in enumerate(names))
        outer = [axis for axis in order if axis != copy.inner]
        return nest(copy.shape, outer, names, _library_run(copy, fixed, source, target))
    spelled = _spelled_out(copy)
    if spelled is not None:
        return block_lines(_box(copy), spelled, (source, target), copy.dtype.c_name)
    reads = element(copy.source, _source_indices(copy, names))
    writes = element(copy.target, _target_indices(copy, names))
    return nest(copy.shape, order, names, [f"{target}[{writes}] = {source}[{reads}];"])


def fills_rows(copy: Copy, host: Host) -> bool:
    """Whether the loops of the copy write the free elements too."""
    by_library = copy.is_run and not host.is_scalar
    return tail_of_rows(copy) > 0 and not by_library and _spelled_out(copy) is not None


def _source_indices(copy: Copy, names: Sequence[str]) -> tuple[str, ...]:
    starts = copy.source_start or (0,) * len(names)
    steps = copy.source_step or (1,) * len(names)
    return tuple(
        _shifted(name if step == 1 else f"{name} * {step}", start)
        for name, start, step in zip(names, starts, steps, strict=True)
    )


def _target_indices(copy: Copy, names: Sequence[str]) -> tuple[str, ...]:
    starts = copy.target_start or (0,) * len(names)
    return tuple(_shifted(name, start) for name, start in zip(names, starts, strict=True))


def _shifted(index: str, start: int) -> str:
    if index.replace(" * ", "").isdigit():
        return str(start)
    return plus(index, start)


def _library_run(copy: Copy, fixed: Sequence[str], source: str, target: str) -> Lines:
    reads = element(copy.source, _source_indices(copy, fixed))
    writes = element(copy.target, _target_indices(copy, fixed))
    length = copy.shape[copy.inner or 0] * copy.dtype.size_bytes
    return [f"memcpy(&{target}[{writes}], &{source}[{reads}], {length});"]


def constant_lines(shape: Shape, layout: Layout, dtype: DType, value: float) -> Lines:
    """Write one value to every element."""
    literal = real(value) if dtype is DType.FLOAT32 else integer(int(value))
    if not free_elements(layout, shape):
        return loop("i", layout.size, [f"out[i] = {literal};"])
    names = index_names(shape)
    store = [f"out[{element(layout, names)}] = {literal};"]
    return nest(shape, loop_order(layout, shape), names, store)


def copy_cycles(copy: Copy) -> float:
    """RI5CY cycles of a copy, free elements behind its rows included."""
    elements = prod(copy.shape)
    spelled = _spelled_out(copy)
    if spelled is None:
        each = cycles.MOVED + cycles.address(copy.source) + cycles.address(copy.target)
        return elements * each
    size = len(spelled.target)
    block = cycles.RUN + size * cycles.RUN_ELEMENT + len(spelled.free) * cycles.STORE
    return elements // size * block


def fill_cycles(layout: Layout, shape: Shape, dtype: DType) -> float:
    """RI5CY cycles of filling free elements."""
    if layout.fill is None or not free_elements(layout, shape):
        return 0.0
    return layout.size * dtype.size_bytes * cycles.LIBRARY_BYTE


def whole(lines: Lines) -> Lines:
    """A block of its own, so that several copies can share names."""
    return ["{", *(f"    {line}" for line in lines), "}"] if lines else []
