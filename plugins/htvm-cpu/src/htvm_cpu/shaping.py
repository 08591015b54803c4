"""Layers that only move elements: pad, slice, concatenate."""

from __future__ import annotations

from itertools import product

from htvm.api import Cost, InternalError, Layer, Layout, Offers, Tiling, ops, row_major
from htvm_cpu import cycles
from htvm_cpu.copying import (
    Copy,
    constant_lines,
    copy_cycles,
    copy_lines,
    fill_buffer,
    fill_cycles,
    whole,
)
from htvm_cpu.host import Host
from htvm_cpu.kernel import UNPRICED, Generated, Kernel, generated
from htvm_cpu.place import choices, home
from htvm_cpu.snippet import Writer

_MOST_TILINGS = 24


def tilings(layer: Layer, offers: Offers, host: Host) -> tuple[Tiling, ...]:
    """Any layouts, so that an engine's layout can be kept."""
    del host
    reads = [
        choices(offered, tensor.shape, read=True, usable=_any)
        for tensor, offered in zip(layer.inputs, offers.inputs, strict=True)
    ]
    shape = layer.output.shape
    writes = tuple(dict.fromkeys((home(shape), row_major(shape), *offers.output)))
    found = [
        Tiling(inputs=inputs, output=write, cost=UNPRICED, summary="copied")
        for write in writes
        for inputs in product(*reads)
    ]
    return tuple(found[:_MOST_TILINGS])


def _any(layout: Layout) -> bool:
    del layout
    return True


def _copies(layer: Layer, tiling: Tiling) -> list[tuple[str, Copy]]:
    """The boxes to copy, each with the parameter it comes from."""
    node = layer.nodes[0]
    numbers = {tensor.name: number for number, tensor in enumerate(layer.inputs)}
    dtype = layer.output.dtype
    match node.op:
        case ops.Pad(before=before):
            source = tiling.inputs[0]
            shape = layer.inputs[0].shape
            box = Copy(
                shape=shape, dtype=dtype, source=source, target=tiling.output, target_start=before
            )
            return [("in0", box)]
        case ops.Slice(start=start, step=step):
            box = Copy(
                shape=layer.output.shape,
                dtype=dtype,
                source=tiling.inputs[0],
                target=tiling.output,
                source_start=start,
                source_step=step,
            )
            return [("in0", box)]
        case ops.Concat(axis=axis):
            return _joined(layer, tiling, numbers, axis % len(layer.output.shape))
    raise InternalError(f"{type(node.op).__name__} is no copy")


def _joined(
    layer: Layer, tiling: Tiling, numbers: dict[str, int], axis: int
) -> list[tuple[str, Copy]]:
    found = []
    place = 0
    for name in layer.nodes[0].inputs:
        shape = layer.tensors[name].shape
        start = tuple(place if number == axis else 0 for number in range(len(shape)))
        box = Copy(
            shape=shape,
            dtype=layer.output.dtype,
            source=tiling.inputs[numbers[name]],
            target=tiling.output,
            target_start=start,
        )
        found.append((f"in{numbers[name]}", box))
        place += shape[axis]
    return found


def cost(layer: Layer, tiling: Tiling, host: Host) -> Cost:
    """The copies, and the padding."""
    del host
    total = sum(copy_cycles(copy) for _, copy in _copies(layer, tiling))
    total += fill_cycles(tiling.output, layer.output.shape, layer.output.dtype)
    if isinstance(layer.nodes[0].op, ops.Pad):
        total += layer.output.elements * cycles.LIBRARY_BYTE
    return cycles.priced(total)


def generate(layer: Layer, tiling: Tiling, host: Host) -> Generated:
    """Free elements, padding, then the copies."""
    output = layer.output
    op = layer.nodes[0].op
    lines = fill_buffer(tiling.output, output.shape, output.dtype)
    if isinstance(op, ops.Pad):
        lines += constant_lines(output.shape, tiling.output, output.dtype, op.value)
    for source, copy in _copies(layer, tiling):
        lines += whole(copy_lines(copy, host, source=source))
    size = cycles.code_bytes(layer.nodes, host)
    return generated(lines, Writer(host=host), size_bytes=size)


KERNEL = Kernel(tilings=tilings, cost=cost, generate=generate)
