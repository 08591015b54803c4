"""Conversions of a tensor from one layout to another."""

from __future__ import annotations

from htvm.api import Cost, DType, LayerCode, Layout
from htvm_cpu import cycles
from htvm_cpu.copying import (
    Copy,
    copy_cycles,
    copy_lines,
    fill_buffer,
    fill_cycles,
    is_same_buffer,
)
from htvm_cpu.kernel import headers
from htvm_cpu.place import Shape
from htvm_cpu.text import pruned


def convert_cost(shape: Shape, dtype: DType, source: Layout, target: Layout) -> Cost:
    """Cycles of the copy."""
    if is_same_buffer(shape, source, target):
        return cycles.priced(cycles.RUN + source.size_bytes(dtype) * cycles.RUN_BYTE)
    copy = Copy(shape=shape, dtype=dtype, source=source, target=target)
    return cycles.priced(copy_cycles(copy) + fill_cycles(target, shape, dtype))


def convert(shape: Shape, dtype: DType, source: Layout, target: Layout) -> LayerCode:
    """C of the copy; free elements get the target's fill."""
    if is_same_buffer(shape, source, target):
        lines = [f"memcpy(out, in0, {source.size_bytes(dtype)});"]
    else:
        copy = Copy(shape=shape, dtype=dtype, source=source, target=target)
        lines = [*fill_buffer(target, shape, dtype), *copy_lines(copy)]
    return LayerCode(
        body="\n".join(pruned(lines)),
        includes=headers(lines),
        comment=f"{dtype.value} {'x'.join(map(str, shape))}: {source.name} to {target.name}.",
        size_bytes=cycles.COPY_CODE_BYTES,
    )
