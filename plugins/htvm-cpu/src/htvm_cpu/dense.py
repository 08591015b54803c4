"""Fully connected layers: one row of activations against all rows of weights."""

from __future__ import annotations

from math import prod

from htvm.api import Constant, Cost, DType, Layer, Layout, Offers, Tiling, ops, row_major
from htvm_cpu import cycles
from htvm_cpu.dot import (
    LANES,
    interleaved,
    padded,
    scalar_block,
    vector_block,
    vector_rows,
)
from htvm_cpu.host import Host
from htvm_cpu.kernel import UNPRICED, Generated, Kernel, finish, generated, tail_nodes
from htvm_cpu.place import element, fill_lines, index_names, loose, nest
from htvm_cpu.snippet import Value, Writer
from htvm_cpu.text import Lines, block, loop, plus
from htvm_cpu.window import accumulator, bias_of, centred_weights, narrow, wrapped

_VECTOR_OUTPUTS = 4
_SCALAR_OUTPUTS = 8


def _outputs(host: Host) -> int:
    return _SCALAR_OUTPUTS if host.is_scalar else _VECTOR_OUTPUTS


def _zero_point(layer: Layer) -> int:
    op = layer.nodes[0].op
    return op.input_zero_point if isinstance(op, ops.Dense) else 0


def _reads_directly(layer: Layer, layout: Layout, host: Host) -> bool:
    """Whether the dot products can run on the input as it lies."""
    return host.is_scalar and layout == row_major(layer.inputs[0].shape)


def tilings(layer: Layer, offers: Offers, host: Host) -> tuple[Tiling, ...]:
    """Row-major, or gathered from whatever is on offer."""
    shape = layer.inputs[0].shape
    reads = tuple(
        dict.fromkeys((row_major(shape), *(loose(layout) for layout in offers.inputs[0])))
    )
    writes = tuple(dict.fromkeys((row_major(layer.output.shape), *offers.output)))
    return tuple(
        Tiling(
            inputs=(read,),
            output=write,
            cost=UNPRICED,
            summary=f"{_outputs(host)} channels at a time",
            scratch_bytes=_scratch_bytes(layer, read, host),
        )
        for read in reads
        for write in writes
    )


def _scratch_bytes(layer: Layer, read: Layout, host: Host) -> int:
    taps = layer.inputs[0].shape[-1]
    if not host.is_scalar:
        return 2 * padded(taps, LANES)
    return 0 if _reads_directly(layer, read, host) else taps


def cost(layer: Layer, tiling: Tiling, host: Host) -> Cost:
    """Dot products, and a requantisation per output."""
    taps = layer.inputs[0].shape[-1]
    rows = prod(layer.inputs[0].shape[:-1])
    channels = layer.tensors[layer.nodes[0].inputs[1]].shape[0]
    copying = 0.0 if _reads_directly(layer, tiling.inputs[0], host) else rows * taps * cycles.COPIED
    products = rows * padded(channels, _SCALAR_OUTPUTS) * taps * cycles.DENSE_MAC
    each = cycles.pointwise(tail_nodes(layer), host) + cycles.DENSE_SUM
    return cycles.priced(copying + products + rows * channels * each)


def generate(layer: Layer, tiling: Tiling, host: Host) -> Generated:
    """A loop over blocks of output channels, inside one over the rows of activations."""
    weights = centred_weights(layer)
    bias = bias_of(layer, weights.shape[0])
    dtype = narrow(weights)
    outputs = _outputs(host)
    writer = Writer(host=host)
    pack = interleaved if host.is_scalar else vector_rows
    folded = bias - _zero_point(layer) * weights.sum(axis=1) if host.is_scalar else bias
    constants = (
        Constant(name="weights", dtype=dtype, data=pack(weights, outputs).astype(dtype.numpy)),
        Constant(name="bias", dtype=DType.INT32, data=wrapped(folded)),
    )
    lead = layer.inputs[0].shape[:-1]
    names = index_names(lead)
    step = [
        *_row_lines(layer, tiling, names, host),
        *_block_lines(layer, tiling, names, writer, dtype),
    ]
    lines = fill_lines(tiling.output, layer.output.shape, "out")
    lines += nest(lead, range(len(lead)), names, step)
    size = cycles.code_bytes(layer.nodes, host)
    return generated(lines, writer, constants=constants, size_bytes=size)


def _row_lines(layer: Layer, tiling: Tiling, names: tuple[str, ...], host: Host) -> Lines:
    """Bring one row of activations into the form the dot products read."""
    source = layer.inputs[0]
    taps = source.shape[-1]
    if _reads_directly(layer, tiling.inputs[0], host):
        start = element(tiling.inputs[0], (*names, "0"))
        return [f"const {source.dtype.c_name} *x = in0 + {start};"]
    kind = source.dtype.c_name if host.is_scalar else "int16_t"
    value = f"in0[{element(tiling.inputs[0], (*names, 'k'))}]"
    shifted = value if host.is_scalar else f"(int16_t)({plus(value, -_zero_point(layer))})"
    lines = [
        f"{kind} *const x = ({kind} *)(void *)scratch;",
        *loop("k", taps, [f"x[k] = {shifted};"]),
    ]
    if not host.is_scalar and padded(taps, LANES) > taps:
        head = f"for (int32_t k = {taps}; k < {padded(taps, LANES)}; k++)"
        lines += block(head, ["x[k] = 0;"])
    return lines


def _block_lines(
    layer: Layer,
    tiling: Tiling,
    names: tuple[str, ...],
    writer: Writer,
    weight: DType,
) -> Lines:
    outputs = _outputs(writer.host)
    channels = layer.tensors[layer.nodes[0].inputs[1]].shape[0]
    taps = layer.inputs[0].shape[-1]
    if writer.host.is_scalar:
        name, text = scalar_block(1, outputs, layer.inputs[0].dtype, weight, step=1)
        writer.needs(text)
        sums = [f"int32_t sums[{outputs}];", f"{name}(x, weights + o * {taps}, {taps}, sums, 0);"]
    else:
        row = padded(taps, LANES)
        values = ", ".join(f"s0{o}" for o in range(outputs))
        sums = [
            f"const {weight.c_name} *w = weights + o * {row};",
            *vector_block(1, outputs, row),
            f"const int32_t sums[{outputs}] = {{{values}}};",
        ]
    count = (
        [
            f"const int32_t left = {channels} - o;",
            f"const int32_t count = left < {outputs} ? left : {outputs};",
        ]
        if channels % outputs
        else []
    )
    stores = loop("q", "count" if count else outputs, _store(layer, tiling, names, writer))
    return loop("o", padded(channels, outputs), [*sums, *count, *stores], step=outputs)


def _store(
    layer: Layer,
    tiling: Tiling,
    names: tuple[str, ...],
    writer: Writer,
) -> Lines:
    weights = centred_weights(layer)
    bias = bias_of(layer, weights.shape[0])
    bounds = accumulator("", layer.inputs[0].dtype, _zero_point(layer), weights, bias)
    text = writer.let("(int32_t)((uint32_t)sums[q] + (uint32_t)bias[channel])")
    indices = (*names, "channel")
    result = finish(layer, Value(text=text, lo=bounds.lo, hi=bounds.hi), indices, writer)
    place = element(tiling.output, indices)
    return [
        "const int32_t channel = o + q;",
        *writer.body,
        f"out[{place}] = ({layer.output.dtype.c_name}){result.text};",
    ]


KERNEL = Kernel(tilings=tilings, cost=cost, generate=generate)
