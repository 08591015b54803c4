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
    fills_rows,
    is_same_buffer,
)
from htvm_cpu.helpers import reversals
from htvm_cpu.host import Host
from htvm_cpu.kernel import headers
from htvm_cpu.place import Shape
from htvm_cpu.text import pruned

_CODE_BYTES = 50
_ACCESS_CODE_BYTES = 4
_WORD_CODE_BYTES = 8 * _ACCESS_CODE_BYTES


def convert_cost(shape: Shape, dtype: DType, source: Layout, target: Layout, host: Host) -> Cost:
    """Cycles of the copy."""
    if is_same_buffer(shape, source, target):
        return cycles.priced(source.size_bytes(dtype) * cycles.LIBRARY_BYTE)
    copy = Copy(shape=shape, dtype=dtype, source=source, target=target)
    filling = 0.0 if fills_rows(copy, host) else fill_cycles(target, shape, dtype)
    return cycles.priced(copy_cycles(copy) + filling)


def convert(shape: Shape, dtype: DType, source: Layout, target: Layout, host: Host) -> LayerCode:
    """C of the copy; free elements get the target's fill."""
    copy = Copy(shape=shape, dtype=dtype, source=source, target=target)
    if is_same_buffer(shape, source, target):
        lines = [f"memcpy(out, in0, {source.size_bytes(dtype)});"]
    elif fills_rows(copy, host):
        lines = copy_lines(copy, host)
    else:
        lines = [*fill_buffer(target, shape, dtype), *copy_lines(copy, host)]
    return LayerCode(
        body="\n".join(pruned(lines)),
        helpers=reversals(lines),
        includes=headers(lines),
        comment=f"{dtype.value} {'x'.join(map(str, shape))}: {source.name} to {target.name}.",
        size_bytes=_CODE_BYTES + sum(map(_code_bytes, lines)),
    )


def _code_bytes(line: str) -> int:
    """Machine code of a line, helpers counted where they are called."""
    if "htvm_reverse_" in line:
        return _WORD_CODE_BYTES
    return _ACCESS_CODE_BYTES * max(1, line.count(" = "))
