"""Products of two computed tensors."""

from __future__ import annotations

from itertools import product

from htvm.api import Cost, Layer, Offers, Tensor, Tiling, ops, row_major
from htvm_cpu import cycles
from htvm_cpu.dot import LANES, padded, vector_block
from htvm_cpu.host import Host
from htvm_cpu.kernel import UNPRICED, Generated, Kernel, finish, generated, tail_nodes
from htvm_cpu.place import Indices, element, fill_lines, index_names, loose, nest
from htvm_cpu.snippet import Value, Writer, fits_int32
from htvm_cpu.text import Lines, block, loop, plus

_OUTPUTS = 4


def _operands(layer: Layer) -> tuple[Tensor, Tensor]:
    first, second = (layer.tensors[name] for name in layer.nodes[0].inputs)
    return first, second


def tilings(layer: Layer, offers: Offers, host: Host) -> tuple[Tiling, ...]:
    """Any layouts: both operands pass through scratch."""
    del host
    reads = [
        tuple(dict.fromkeys((row_major(tensor.shape), *(loose(layout) for layout in offered))))
        for tensor, offered in zip(layer.inputs, offers.inputs, strict=True)
    ]
    writes = tuple(dict.fromkeys((row_major(layer.output.shape), *offers.output)))
    columns, taps = _operands(layer)[1].shape[-1], _operands(layer)[0].shape[-1]
    return tuple(
        Tiling(
            inputs=inputs,
            output=write,
            cost=UNPRICED,
            summary=f"second operand transposed, {_OUTPUTS} columns at a time",
            scratch_bytes=2 * padded(taps, LANES) * (padded(columns, _OUTPUTS) + 1),
        )
        for write in writes
        for inputs in product(*reads)
    )


def cost(layer: Layer, tiling: Tiling, host: Host) -> Cost:
    """Copying both operands, dot products, requantisation."""
    first, second = _operands(layer)
    copying = (first.elements + second.elements) * (cycles.COPIED + 2)
    products = layer.output.elements * first.shape[-1] * cycles.DENSE_MAC
    each = (
        cycles.pointwise(tail_nodes(layer), host) + cycles.DENSE_SUM + cycles.address(tiling.output)
    )
    return cycles.priced(copying + products + layer.output.elements * each)


def generate(layer: Layer, tiling: Tiling, host: Host) -> Generated:
    """For each matrix of the batch: transpose the second operand, then row by row."""
    first, second = _operands(layer)
    shape = layer.tensors[layer.nodes[0].output].shape
    batch = shape[:-2]
    names = index_names(batch)
    taps = padded(first.shape[-1], LANES)
    columns = padded(shape[-1], _OUTPUTS)
    writer = Writer(host=host)
    row = [
        *_copy("x", _read(layer, tiling, 0, (*names, "m", "k")), first.shape[-1], taps),
        *loop("o", columns, _block(layer, tiling, names, taps, writer), step=_OUTPUTS),
    ]
    column = [
        f"int16_t *t = y + o * {taps};",
        *_copy("t", _read(layer, tiling, 1, (*names, "k", "o")), second.shape[-2], taps),
    ]
    step = [*loop("o", shape[-1], column), *_blank(shape[-1], taps), *loop("m", shape[-2], row)]
    lines = [
        *fill_lines(tiling.output, layer.output.shape, "out"),
        "int16_t *const y = (int16_t *)(void *)scratch;",
        f"int16_t *const x = y + {taps * columns};",
        *nest(batch, range(len(batch)), names, step),
    ]
    size = cycles.code_bytes(layer.nodes, host)
    return generated(lines, writer, size_bytes=size)


def _read(layer: Layer, tiling: Tiling, operand: int, indices: Indices) -> str:
    """An element of the first or second operand, less its zero point."""
    op = layer.nodes[0].op
    if not isinstance(op, ops.MatMul):
        raise TypeError(f"{layer.name} is no matmul")
    tensor = _operands(layer)[operand]
    number = next(i for i, other in enumerate(layer.inputs) if other.name == tensor.name)
    own = indices[len(indices) - len(tensor.shape) :]
    kept = ["0" if extent == 1 else name for extent, name in zip(tensor.shape, own, strict=True)]
    zero_point = (op.a_zero_point, op.b_zero_point)[operand]
    value = f"in{number}[{element(tiling.inputs[number], kept)}]"
    return f"(int16_t)({plus(value, -zero_point)})"


def _copy(target: str, value: str, count: int, taps: int) -> Lines:
    lines = loop("k", count, [f"{target}[k] = {value};"])
    if taps > count:
        lines += block(f"for (int32_t k = {count}; k < {taps}; k++)", [f"{target}[k] = 0;"])
    return lines


def _blank(columns: int, taps: int) -> Lines:
    """Zeros in the columns that only fill up the last block: they are multiplied all the same."""
    first, last = columns * taps, padded(columns, _OUTPUTS) * taps
    return (
        block(f"for (int32_t k = {first}; k < {last}; k++)", ["y[k] = 0;"]) if last > first else []
    )


def _block(
    layer: Layer,
    tiling: Tiling,
    names: Indices,
    taps: int,
    writer: Writer,
) -> Lines:
    columns = layer.output.shape[-1]
    values = ", ".join(f"s0{o}" for o in range(_OUTPUTS))
    magnitude = 255 * 255 * taps
    bounds = (-magnitude, magnitude)
    text = writer.let("sums[q]")
    value = (
        Value(text=text, lo=bounds[0], hi=bounds[1]) if fits_int32(*bounds) else Value(text=text)
    )
    indices = (*names, "m", "column")
    result = finish(layer, value, indices, writer)
    store = [
        "const int32_t column = o + q;",
        *writer.body,
        f"out[{element(tiling.output, indices)}] = ({layer.output.dtype.c_name}){result.text};",
    ]
    return [
        f"const int16_t *w = y + o * {taps};",
        *vector_block(1, _OUTPUTS, taps),
        f"const int32_t sums[{_OUTPUTS}] = {{{values}}};",
        f"const int32_t left = {columns} - o;",
        f"const int32_t count = left < {_OUTPUTS} ? left : {_OUTPUTS};",
        *loop("q", "count", store),
    ]


KERNEL = Kernel(tilings=tilings, cost=cost, generate=generate)
