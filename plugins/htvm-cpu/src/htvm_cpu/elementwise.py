"""Layers made of element-wise ops only: add, requantise, quantise, clip, look up, ..."""

from __future__ import annotations

from itertools import product

from htvm.api import Cost, DType, Layer, Layout, Offers, Tensor, Tiling
from htvm_cpu import cycles
from htvm_cpu.host import Host
from htvm_cpu.kernel import UNPRICED, Generated, Kernel, generated
from htvm_cpu.place import (
    Indices,
    choices,
    element,
    fill_lines,
    free_elements,
    index_names,
    loop_order,
    loose,
    nest,
)
from htvm_cpu.pointwise import evaluate
from htvm_cpu.snippet import Value, Writer, loaded
from htvm_cpu.text import Lines, loop

_MOST_TILINGS = 24
_MOST_FREE = 1.2
"""Buffer size over elements up to which free elements are computed too rather than skipped."""


def tilings(layer: Layer, offers: Offers, host: Host) -> tuple[Tiling, ...]:
    """Every combination of layouts on offer, those with one layout throughout first."""
    del host
    reads = [
        choices(offered, tensor.shape, read=True, usable=_any_layout)
        for tensor, offered in zip(layer.inputs, offers.inputs, strict=True)
    ]
    alike = [layout for offered in offers.inputs for layout in offered]
    writes = choices(
        (*offers.output, *_of_shape(layer, alike)),
        layer.output.shape,
        read=False,
        usable=_any_layout,
    )
    found = [
        _tiling(layer, inputs, output)
        for output in writes
        for inputs in product(*_with(reads, layer, output))
    ]
    found.sort(key=lambda tiling: tiling.summary != _FLAT)
    return tuple(found[:_MOST_TILINGS])


_FLAT = "one run over the buffer"
_NESTED = "element by element"


def _any_layout(layout: Layout) -> bool:
    del layout
    return True


def _of_shape(layer: Layer, layouts: list[Layout]) -> list[Layout]:
    rank = len(layer.output.shape)
    same = all(tensor.shape == layer.output.shape for tensor in layer.inputs)
    return [loose(layout) for layout in layouts if same and len(layout.axes) == rank]


def _with(
    reads: list[tuple[Layout, ...]], layer: Layer, output: Layout
) -> list[tuple[Layout, ...]]:
    """The candidate input layouts, the output's own first among them."""
    return [
        tuple(dict.fromkeys((loose(output), *candidates)))
        if tensor.shape == layer.output.shape
        else candidates
        for candidates, tensor in zip(reads, layer.inputs, strict=True)
    ]


def _tiling(layer: Layer, inputs: tuple[Layout, ...], output: Layout) -> Tiling:
    return Tiling(
        inputs=inputs,
        output=output,
        cost=UNPRICED,
        summary=_FLAT if _is_flat(layer, inputs, output) else _NESTED,
        in_place=_in_place(layer, inputs, output),
    )


def _is_flat(layer: Layer, inputs: tuple[Layout, ...], output: Layout) -> bool:
    """Whether one loop over the buffer, free elements included, does it."""
    if output.size > _MOST_FREE * layer.output.elements:
        return False
    if output.fill is not None and free_elements(output, layer.output.shape):
        return False
    same = all(
        layout == loose(output) and tensor.shape == layer.output.shape
        for layout, tensor in zip(inputs, layer.inputs, strict=True)
    )
    return (
        same
        and not any(_varies(tensor) for tensor in layer.tensors.values())
        and all(getattr(node.op, "axis", None) is None for node in layer.nodes)
    )


def _varies(tensor: Tensor) -> bool:
    """Whether it is a constant with more than one value."""
    return tensor.value is not None and bool((tensor.value != tensor.value.flat[0]).any())


def _in_place(layer: Layer, inputs: tuple[Layout, ...], output: Layout) -> int | None:
    """The input whose elements each are read just before the same place is written."""
    if output.fill is not None and free_elements(output, layer.output.shape):
        return None
    for number, (layout, tensor) in enumerate(zip(inputs, layer.inputs, strict=True)):
        same_size = tensor.dtype.size_bytes == layer.output.dtype.size_bytes
        if same_size and tensor.shape == layer.output.shape and layout == output:
            return number
    return None


def cost(layer: Layer, tiling: Tiling, host: Host) -> Cost:
    """One pass over the elements."""
    flat = tiling.summary == _FLAT
    each = cycles.pointwise(layer.nodes, host, bounded=False) + cycles.STORE
    each += cycles.LOAD * len(layer.inputs)
    if not flat:
        each += sum(cycles.address(layout) for layout in (*tiling.inputs, tiling.output))
    elements = tiling.output.size if flat else layer.output.elements
    return cycles.priced(elements * (each + cycles.LOOP))


def generate(layer: Layer, tiling: Tiling, host: Host) -> Generated:
    """A flat loop, or loops over the axes with computed addresses."""
    writer = Writer(host=host)
    shape = layer.output.shape
    if tiling.summary == _FLAT:
        body = _store(layer, tiling, ("i",) * len(shape), writer, flat=True)
        lines = loop("i", tiling.output.size, body)
    else:
        names = index_names(shape)
        body = _store(layer, tiling, names, writer, flat=False)
        lines = fill_lines(tiling.output, shape, "out")
        lines += nest(shape, loop_order(tiling.output, shape), names, body)
    return generated(lines, writer, size_bytes=cycles.code_bytes(layer.nodes, host))


def _store(layer: Layer, tiling: Tiling, names: Indices, writer: Writer, *, flat: bool) -> Lines:
    known = {
        tensor.name: _read(layer, tiling, number, names, writer, flat=flat)
        for number, tensor in enumerate(layer.inputs)
    }
    value = evaluate(layer.nodes, layer.tensors, known, names, writer)
    place = "i" if flat else element(tiling.output, names)
    return [*writer.body, f"out[{place}] = ({layer.output.dtype.c_name}){value.text};"]


def _read(
    layer: Layer, tiling: Tiling, number: int, names: Indices, writer: Writer, *, flat: bool
) -> Value:
    tensor, layout = layer.inputs[number], tiling.inputs[number]
    own = _broadcast(tensor.shape, layer.output.shape, names)
    value = loaded(f"in{number}[{'i' if flat else element(layout, own)}]", tensor.dtype)
    name = writer.let(value.text, is_float=tensor.dtype is DType.FLOAT32)
    return Value(text=name, is_float=value.is_float, lo=value.lo, hi=value.hi)


def _broadcast(shape: tuple[int, ...], onto: tuple[int, ...], names: Indices) -> Indices:
    """The index of a smaller tensor's element that numpy's broadcasting takes."""
    own = names[len(onto) - len(shape) :]
    return tuple("0" if extent == 1 else name for extent, name in zip(shape, own, strict=True))


KERNEL = Kernel(tilings=tilings, cost=cost, generate=generate)
