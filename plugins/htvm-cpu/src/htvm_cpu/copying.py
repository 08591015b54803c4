"""Copies between layouts: loops, whole runs, and rows with reversed words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from htvm.api import Axis, DType, Layout
from htvm_cpu import cycles
from htvm_cpu.place import Shape, element, free_elements, index_names, loop_order, nest
from htvm_cpu.text import Lines, integer, loop, plus, real


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
    def is_reversed(self) -> bool:
        """Whether the target's words are reversed, and each row starts with a whole word."""
        if self.inner is None or self.source.word_bytes != 1 or self.target.word_bytes != 4:
            return False
        return not any(self.target_start) and all(
            axis.offset == 0 and axis.block == 1 and axis.stride % 4 == 0
            for number, axis in enumerate(self.target.axes)
            if number != self.inner
        )

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


def copy_lines(copy: Copy, *, source: str = "in0", target: str = "out") -> Lines:
    """The loops that copy a box."""
    names = index_names(copy.shape)
    order = loop_order(copy.target, copy.shape)
    if copy.inner is None or not (copy.is_run or copy.is_reversed):
        reads = element(copy.source, _source_indices(copy, names))
        writes = element(copy.target, _target_indices(copy, names))
        return nest(copy.shape, order, names, [f"{target}[{writes}] = {source}[{reads}];"])
    fixed = tuple("0" if axis == copy.inner else name for axis, name in enumerate(names))
    row = (
        _run(copy, fixed, source, target) if copy.is_run else _reversed(copy, fixed, source, target)
    )
    outer = [axis for axis in order if axis != copy.inner]
    return nest(copy.shape, outer, names, row)


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


def _run(copy: Copy, fixed: Sequence[str], source: str, target: str) -> Lines:
    reads = element(copy.source, _source_indices(copy, fixed))
    writes = element(copy.target, _target_indices(copy, fixed))
    length = copy.shape[copy.inner or 0] * copy.dtype.size_bytes
    return [f"memcpy(&{target}[{writes}], &{source}[{reads}], {length});"]


def _reversed(copy: Copy, fixed: Sequence[str], source: str, target: str) -> Lines:
    """Four bytes at a time with constant offsets, the last few one by one."""
    inner = copy.inner or 0
    reads = _plain_address(copy.source, _source_indices(copy, fixed))
    stride = copy.source.axes[inner].stride * (copy.source_step[inner] if copy.source_step else 1)
    start = _plain_address(copy.target, _target_indices(copy, fixed))
    length = copy.shape[inner]
    kind = copy.dtype.c_name
    whole = length // 4 * 4
    words = [f"to[i + {3 - byte}] = from[{_at(byte, stride)}];" for byte in range(4)]
    lines = [f"const {kind} *from = {source} + {reads};", f"{kind} *to = {target} + {start};"]
    if whole:
        lines += loop("i", whole, words, step=4)
    return lines + [f"to[{at ^ 3}] = from[{at * stride}];" for at in range(whole, length)]


def _at(byte: int, stride: int) -> str:
    return plus("i" if stride == 1 else f"i * {stride}", byte * stride)


def _plain_address(layout: Layout, indices: Sequence[str]) -> str:
    """The address before bytes are reversed."""
    return element(Layout(name=layout.name, axes=layout.axes, size=layout.size), indices)


def constant_lines(shape: Shape, layout: Layout, dtype: DType, value: float) -> Lines:
    """Write one value to every element."""
    literal = real(value) if dtype is DType.FLOAT32 else integer(int(value))
    if not free_elements(layout, shape):
        return loop("i", layout.size, [f"out[i] = {literal};"])
    names = index_names(shape)
    store = [f"out[{element(layout, names)}] = {literal};"]
    return nest(shape, loop_order(layout, shape), names, store)


def copy_cycles(copy: Copy) -> float:
    """RI5CY cycles of a copy."""
    elements = prod(copy.shape)
    inner = copy.inner
    if inner is None or not (copy.is_run or copy.is_reversed):
        each = cycles.COPY + cycles.address(copy.source) + cycles.address(copy.target)
        return elements * each
    length = copy.shape[inner]
    rows = elements // length
    if copy.is_run:
        return rows * (cycles.RUN + length * copy.dtype.size_bytes * cycles.RUN_BYTE)
    return rows * (cycles.RUN + length * cycles.REVERSED)


def fill_cycles(layout: Layout, shape: Shape, dtype: DType) -> float:
    """RI5CY cycles of filling free elements."""
    if layout.fill is None or not free_elements(layout, shape):
        return 0.0
    return cycles.RUN + layout.size * dtype.size_bytes * cycles.RUN_BYTE


def whole(lines: Lines) -> Lines:
    """A block of its own, so that several copies can share names."""
    return ["{", *(f"    {line}" for line in lines), "}"] if lines else []
