"""Convolution as blocks of dot products over gathered windows.

A few windows at a time are copied to scratch, padding filled in, and multiplied with all output
channels; then the sums are requantised and stored. Weights keep the order of the window's
elements: ``ky, kx, c``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htvm.api import Constant, Cost, DType, Layer, Layout, Offers, Tiling, channels_last
from htvm_cpu import cycles
from htvm_cpu.dot import (
    LANES,
    Ints,
    interleaved,
    padded,
    scalar_block,
    vector_block,
    vector_rows,
)
from htvm_cpu.host import Host
from htvm_cpu.kernel import UNPRICED, Generated, Kernel, finish, generated, tail_nodes
from htvm_cpu.place import choices, element, fill_lines
from htvm_cpu.snippet import Value, Writer
from htvm_cpu.text import Lines, block, loop
from htvm_cpu.window import (
    Gather,
    Window,
    accumulator,
    bias_of,
    centred_weights,
    gather,
    gather_cycles,
    narrow,
    window_of,
    wrapped,
)

_SCRATCH_BUDGET_BYTES = 6144
_MOST_PIXELS = 32
_BLOCK_PIXELS = 4


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How the work is blocked.

    Attributes:
        window: The convolution.
        pixels: Windows gathered at a time.
        outputs: Output channels of one block of dot products.
        taps: Elements of a gathered row, padding to whole lanes included.
        activation: Type the rows hold.
        weight: Type of the packed weights.
        scalar: Whether operands are interleaved for a scalar core.
    """

    window: Window
    pixels: int
    outputs: int
    taps: int
    activation: DType
    weight: DType
    scalar: bool

    @property
    def channels(self) -> int:
        """Output channels of a group, whole blocks."""
        return padded(self.window.outputs, self.outputs)

    @property
    def scratch_bytes(self) -> int:
        """Sums, then rows."""
        row = self.taps * self.activation.size_bytes + 4 * self.channels
        return self.pixels * row


def shape_of(layer: Layer, host: Host) -> Shape:
    """Block sizes of a convolution on a host."""
    window = window_of(layer)
    weight = narrow(centred_weights(layer))
    if host.is_scalar:
        return Shape(
            window=window,
            pixels=_BLOCK_PIXELS,
            outputs=4,
            taps=window.taps,
            activation=layer.inputs[0].dtype,
            weight=weight,
            scalar=True,
        )
    taps = padded(window.taps, LANES)
    row = 2 * taps + 4 * padded(window.outputs, 2)
    fitting = _SCRATCH_BUDGET_BYTES // row // _BLOCK_PIXELS * _BLOCK_PIXELS
    most = min(_MOST_PIXELS, padded(window.pixels, _BLOCK_PIXELS))
    return Shape(
        window=window,
        pixels=max(_BLOCK_PIXELS, min(fitting, most)),
        outputs=2,
        taps=taps,
        activation=DType.INT16,
        weight=weight,
        scalar=False,
    )


def tilings(layer: Layer, offers: Offers, host: Host) -> tuple[Tiling, ...]:
    """Any input and any output layout on offer."""
    shape = shape_of(layer, host)
    reads = choices(offers.inputs[0], layer.inputs[0].shape, read=True, usable=_is_image)
    writes = choices(offers.output, layer.output.shape, read=False, usable=_is_image)
    summary = f"{shape.pixels} windows x {shape.window.outputs} channels at a time"
    return tuple(
        Tiling(
            inputs=(read,),
            output=write,
            cost=UNPRICED,
            summary=summary,
            scratch_bytes=shape.scratch_bytes,
        )
        for read in reads
        for write in writes
    )


def _is_image(layout: Layout) -> bool:
    return len(layout.axes) == 4


def cost(layer: Layer, tiling: Tiling, host: Host) -> Cost:
    """Gathering, dot products, requantisation."""
    shape = shape_of(layer, host)
    window = shape.window
    blocks = -(-window.pixels // _BLOCK_PIXELS) * padded(window.outputs, 4) // 4
    products = window.pixels * padded(window.outputs, 4) * window.taps * cycles.MAC
    group = gather_cycles(window, tiling.inputs[0]) + blocks * cycles.BLOCK + products
    each = cycles.pointwise(tail_nodes(layer), host) + cycles.SUM
    if tiling.output != channels_last(layer.output.shape):
        each += cycles.address(tiling.output)
    return cycles.priced(window.groups * (group + window.pixels * window.outputs * each))


def generate(layer: Layer, tiling: Tiling, host: Host) -> Generated:
    """The three steps, in a loop over blocks of windows."""
    shape = shape_of(layer, host)
    window = shape.window
    weights, bias = _operands(layer)
    writer = Writer(host=host)
    constants = (_packed_weights(shape, weights), _packed_bias(layer, shape, weights, bias))
    how = Gather(
        layout=tiling.inputs[0],
        dtype=layer.inputs[0].dtype,
        step=_BLOCK_PIXELS if shape.scalar else 1,
        centred=not shape.scalar,
    )
    step = [
        f"const int32_t left = {window.pixels} - pixel;",
        f"const int32_t count = left < {shape.pixels} ? left : {shape.pixels};",
        *_gather_lines(shape, how),
        *_product_lines(shape, writer),
        *_store_lines(layer, tiling, shape, bias, writer),
    ]
    lines = loop("pixel", window.pixels, step, step=shape.pixels)
    if window.groups > 1:
        lines = loop("group", window.groups, lines)
    lines = [*fill_lines(tiling.output, layer.output.shape, "out"), *_buffers(shape), *lines]
    size = cycles.code_bytes(layer.nodes, host)
    return generated(lines, writer, constants=constants, size_bytes=size)


def _operands(layer: Layer) -> tuple[Ints, Ints]:
    """Centred weights ``(K, taps)`` with taps in window order, and the bias."""
    weights = centred_weights(layer)
    rows = weights.transpose(0, 2, 3, 1).reshape(weights.shape[0], -1)
    return rows, bias_of(layer, weights.shape[0])


def _packed_weights(shape: Shape, weights: Ints) -> Constant:
    pack = interleaved if shape.scalar else vector_rows
    groups = np.split(weights, shape.window.groups)
    data = np.concatenate([pack(group, shape.outputs) for group in groups])
    return Constant(name="weights", dtype=shape.weight, data=data.astype(shape.weight.numpy))


def _packed_bias(layer: Layer, shape: Shape, weights: Ints, bias: Ints) -> Constant:
    """The bias, less what the zero point adds where windows are gathered as they are."""
    del layer
    folded = bias - shape.window.zero_point * weights.sum(axis=1) if shape.scalar else bias
    return Constant(name="bias", dtype=DType.INT32, data=wrapped(folded))


def _buffers(shape: Shape) -> Lines:
    kind = shape.activation.c_name
    offset = 4 * shape.pixels * shape.channels
    return [
        "int32_t *const sums = (int32_t *)(void *)scratch;",
        f"{kind} *const rows = ({kind} *)(void *)(scratch + {offset});",
    ]


def _gather_lines(shape: Shape, how: Gather) -> Lines:
    window = shape.window
    kind = shape.activation.c_name
    place = "p" if shape.scalar else f"p * {shape.taps}"
    lines = [
        f"{kind} *row = rows + {place};",
        f"const int32_t oy = (pixel + p) / {window.width};",
        f"const int32_t ox = (pixel + p) % {window.width};",
        *gather(window, how),
    ]
    if shape.taps > window.taps:
        lines += block(f"while (k < {shape.taps})", ["row[k++] = 0;"])
    return loop("p", "count", lines)


def _product_lines(shape: Shape, writer: Writer) -> Lines:
    if shape.scalar:
        return _scalar_products(shape, writer)
    outputs, taps = shape.outputs, shape.taps
    group = f"group * {shape.channels * taps} + " if shape.window.groups > 1 else ""
    stores = [
        f"sum[{p * shape.channels + o}] = s{p}{o};"
        for p in range(_BLOCK_PIXELS)
        for o in range(outputs)
    ]
    body = [
        f"const int16_t *x = rows + p * {taps};",
        f"const {shape.weight.c_name} *w = weights + {group}o * {taps};",
        f"int32_t *sum = sums + p * {shape.channels} + o;",
        *vector_block(_BLOCK_PIXELS, outputs, taps),
        *stores,
    ]
    over_pixels = block(f"for (int32_t p = 0; p < count; p += {_BLOCK_PIXELS})", body)
    return loop("o", shape.channels, over_pixels, step=outputs)


def _scalar_products(shape: Shape, writer: Writer) -> Lines:
    window = shape.window
    group = f"group * {shape.channels * shape.taps} + " if window.groups > 1 else ""
    arguments = (
        f"(rows, weights + {group}o * {shape.taps}, {shape.taps}, sums + o, {shape.channels});"
    )

    def call(pixels: int) -> str:
        name, text = scalar_block(
            pixels, shape.outputs, shape.activation, shape.weight, step=_BLOCK_PIXELS
        )
        writer.needs(text)
        return name + arguments

    rest = window.pixels % _BLOCK_PIXELS
    if window.pixels < _BLOCK_PIXELS:
        return loop("o", shape.channels, [call(rest)], step=shape.outputs)
    if rest == 0:
        return loop("o", shape.channels, [call(_BLOCK_PIXELS)], step=shape.outputs)
    body = [
        *block(f"if (count == {_BLOCK_PIXELS})", [call(_BLOCK_PIXELS)]),
        *block("else", [call(rest)]),
    ]
    return loop("o", shape.channels, body, step=shape.outputs)


def _store_lines(
    layer: Layer,
    tiling: Tiling,
    shape: Shape,
    bias: Ints,
    writer: Writer,
) -> Lines:
    window = shape.window
    total = f"sums[p * {shape.channels} + o]"
    weights, _ = _operands(layer)
    bounds = accumulator("", layer.inputs[0].dtype, window.zero_point, weights, bias)
    channel = f"group * {window.outputs} + o" if window.groups > 1 else "o"
    writer.setup.append(f"const int32_t start = bias[{channel}];")
    # Unsigned, because a folded bias may leave int32 where the sum of both does not.
    name = writer.let(f"(int32_t)((uint32_t){total} + (uint32_t)start)")
    value = Value(text=name, lo=bounds.lo, hi=bounds.hi)
    result = finish(layer, value, ("0", channel, "oy", "ox"), writer)
    outputs = window.outputs * window.groups
    where = []
    if tiling.output == channels_last(layer.output.shape):
        place = f"(pixel + p) * {outputs} + {channel}"
    else:
        place = element(tiling.output, ("0", channel, "oy", "ox"))
        where = [
            f"const int32_t oy = (pixel + p) / {window.width};",
            f"const int32_t ox = (pixel + p) % {window.width};",
        ]
    store = [*writer.lines, f"out[{place}] = ({layer.output.dtype.c_name}){result.text};"]
    if shape.scalar and not where:
        # Channels outside: their parameters then stay in registers.
        each = [*writer.setup, *loop("p", "count", store)]
        return loop("o", window.outputs, each)
    return loop("p", "count", [*where, *loop("o", window.outputs, [*writer.setup, *store])])


KERNEL = Kernel(tilings=tilings, cost=cost, generate=generate)
