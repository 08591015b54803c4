"""Sums over any axes."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from htvm.api import Cost, DType, Layer, Offers, Tiling, ops, row_major
from htvm_cpu import cycles
from htvm_cpu.host import Host
from htvm_cpu.kernel import UNPRICED, Generated, Kernel, finish, generated, tail_nodes
from htvm_cpu.place import element, fill_lines, home, index_names, loop_order, loose, nest
from htvm_cpu.snippet import Value, Writer, fits_int32, loaded
from htvm_cpu.text import plus


def _op(layer: Layer) -> ops.ReduceSum:
    op = layer.nodes[0].op
    if not isinstance(op, ops.ReduceSum):
        raise TypeError(f"{layer.name} is no sum")
    return op


def _reduced(layer: Layer) -> tuple[int, ...]:
    rank = len(layer.inputs[0].shape)
    return tuple(sorted(axis % rank for axis in _op(layer).axes))


def tilings(layer: Layer, offers: Offers, host: Host) -> tuple[Tiling, ...]:
    """Any layouts."""
    del host
    shape = layer.inputs[0].shape
    reads = dict.fromkeys(
        (home(shape), row_major(shape), *(loose(layout) for layout in offers.inputs[0]))
    )
    writes = dict.fromkeys((home(layer.output.shape), *offers.output))
    return tuple(
        Tiling(inputs=(read,), output=write, cost=UNPRICED, summary="sum by sum")
        for read in reads
        for write in writes
    )


def cost(layer: Layer, tiling: Tiling, host: Host) -> Cost:
    """An addition per element and a result per sum."""
    adding = layer.inputs[0].elements * (cycles.REDUCED + cycles.address(tiling.inputs[0]))
    each = cycles.pointwise(tail_nodes(layer), host) + cycles.SUM + cycles.address(tiling.output)
    return cycles.priced(adding + layer.output.elements * each)


def generate(layer: Layer, tiling: Tiling, host: Host) -> Generated:
    """Loops over the kept axes around loops over the summed ones."""
    op, source = _op(layer), layer.inputs[0]
    reduced = _reduced(layer)
    names = index_names(source.shape)
    kept = [axis for axis in range(len(source.shape)) if axis not in reduced]
    place = element(tiling.inputs[0], names)
    is_float = source.dtype is DType.FLOAT32
    # Integers may be added in the order they lie in, floats only in that of their indices.
    fastest = range(len(source.shape)) if is_float else loop_order(tiling.inputs[0], source.shape)
    order = [axis for axis in fastest if axis in reduced]
    adding = nest(
        source.shape, order, names, [f"sum += {plus(f'in0[{place}]', -op.input_zero_point)};"]
    )
    writer = Writer(host=host)
    indices = _result_indices(layer, reduced, names)
    result = finish(layer, _total(layer, writer), indices, writer)
    store = f"out[{element(tiling.output, indices)}] = ({layer.output.dtype.c_name}){result.text};"
    start = "float sum = 0.0f;" if is_float else "int32_t sum = 0;"
    body = [start, *adding, *writer.body, store]
    lines = fill_lines(tiling.output, layer.output.shape, "out")
    lines += nest(source.shape, kept, names, body) if _loops(source.shape, kept) else body
    size = cycles.code_bytes(layer.nodes, host)
    return generated(lines, writer, size_bytes=size)


def _total(layer: Layer, writer: Writer) -> Value:
    """The finished sum, with its bounds where they are known."""
    source = layer.inputs[0]
    if source.dtype is DType.FLOAT32:
        return replace(loaded("", source.dtype), text=writer.let("sum", is_float=True))
    count = prod(source.shape[axis] for axis in _reduced(layer))
    lo, hi = (count * (end - _op(layer).input_zero_point) for end in source.dtype.bounds)
    text = writer.let("sum")
    return Value(text=text, lo=lo, hi=hi) if fits_int32(lo, hi) else Value(text=text)


def _loops(shape: tuple[int, ...], axes: list[int]) -> bool:
    return any(shape[axis] > 1 for axis in axes)


def _result_indices(
    layer: Layer, reduced: tuple[int, ...], names: tuple[str, ...]
) -> tuple[str, ...]:
    if _op(layer).keepdims:
        return tuple("0" if axis in reduced else name for axis, name in enumerate(names))
    return tuple(name for axis, name in enumerate(names) if axis not in reduced)


KERNEL = Kernel(tilings=tilings, cost=cost, generate=generate)
