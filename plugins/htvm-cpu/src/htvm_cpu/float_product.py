"""Convolutions and dense layers in float32, every sum in the order their ops define.

What an output position reads is gathered to a row of floats, dequantised on the way where the layer
starts with that, so no float map of the whole input is ever held. A few channels are then summed
side by side: each sum takes its products one after the other, so neither the number of channels
at a time nor the compiler can change a bit of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, prod

import numpy as np

from htvm.api import (
    Array,
    Constant,
    Cost,
    DType,
    InternalError,
    Layer,
    Layout,
    Node,
    Offers,
    Tensor,
    Tiling,
    channels_last,
    ops,
    row_major,
)
from htvm_cpu import cycles
from htvm_cpu.dot import float_block, interleaved, padded
from htvm_cpu.host import Host
from htvm_cpu.kernel import UNPRICED, Generated, Kernel, generated
from htvm_cpu.place import Indices, element, fill_lines, index_names, loose, nest
from htvm_cpu.pointwise import evaluate
from htvm_cpu.snippet import Value, Writer, loaded
from htvm_cpu.text import Lines, block, loop, plus, real

FloatProduct = ops.FloatConv2d | ops.FloatDense

_MOST_SUMS = 8


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A layer's nodes by what they do: turn elements into floats, multiply, follow."""

    before: tuple[Node, ...]
    product: Node
    op: FloatProduct
    behind: tuple[Node, ...]


def takes(layer: Layer) -> bool:
    """Whether a layer is a product of floats."""
    return any(isinstance(node.op, FloatProduct) for node in layer.nodes)


def parts_of(layer: Layer) -> Parts:
    """The parts of a layer.

    Raises:
        InternalError: there is no float product in it.
    """
    for at, node in enumerate(layer.nodes):
        if isinstance(node.op, FloatProduct):
            before, behind = layer.nodes[:at], layer.nodes[at + 1 :]
            return Parts(before=before, product=node, op=node.op, behind=behind)
    raise InternalError("no float product", seen=layer.name)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What there is to compute at each output position.

    Attributes:
        groups: Groups of channels.
        outputs: Output channels of a group.
        taps: Products of one output.
        sums: Channels summed side by side.
        positions: Output positions.
        lines: Rows of a window that are more than one element wide.
    """

    groups: int
    outputs: int
    taps: int
    sums: int
    positions: int
    lines: int

    @property
    def channel(self) -> str:
        """C expression of the output channel of sum ``o``."""
        return f"group * {self.outputs} + o" if self.groups > 1 else "o"

    @property
    def scratch_bytes(self) -> int:
        """Sums of a group, then a row."""
        return 4 * (padded(self.outputs, self.sums) + self.taps)


def work_of(layer: Layer) -> Work:
    """The sizes of a layer."""
    node = parts_of(layer).product
    outputs, *taps = layer.tensors[node.inputs[1]].shape
    groups = node.op.groups if isinstance(node.op, ops.FloatConv2d) else 1
    each = outputs // groups
    return Work(
        groups=groups,
        outputs=each,
        taps=prod(taps),
        sums=_side_by_side(each),
        positions=layer.tensors[node.output].elements // outputs,
        lines=prod(taps[:2]) if len(taps) == 3 and taps[2] > 1 else 0,
    )


def _side_by_side(outputs: int) -> int:
    """The number of sums that wastes least on the last block."""
    if outputs <= _MOST_SUMS:
        return outputs
    return min(range(_MOST_SUMS, _MOST_SUMS // 2, -1), key=lambda count: padded(outputs, count))


def tilings(layer: Layer, offers: Offers, host: Host) -> tuple[Tiling, ...]:
    """Any layouts."""
    work = work_of(layer)
    kind = "float32" if host.fpu else "float32 in software"
    shape = layer.inputs[0].shape
    reads = dict.fromkeys((_home(shape), *(loose(layout) for layout in offers.inputs[0])))
    writes = dict.fromkeys((_home(layer.output.shape), *offers.output))
    return tuple(
        Tiling(
            inputs=(read,),
            output=write,
            cost=UNPRICED,
            summary=f"{kind}, {work.sums} channels at a time",
            scratch_bytes=work.scratch_bytes,
        )
        for read in reads
        for write in writes
    )


def _home(shape: tuple[int, ...]) -> Layout:
    return channels_last(shape) if len(shape) == 4 else row_major(shape)


def cost(layer: Layer, tiling: Tiling, host: Host) -> Cost:
    """Gathering, products, and what follows each sum."""
    parts, work = parts_of(layer), work_of(layer)
    costs = cycles.FLOAT_UNIT if host.fpu else cycles.FLOAT_SOFT
    tap = costs.tap + cycles.address(tiling.inputs[0])
    if layer.inputs[0].dtype is not DType.FLOAT32:
        tap += costs.dequantised
    gathering = work.groups * (work.taps * tap + work.lines * costs.line)
    blocks = work.groups * padded(work.outputs, work.sums) // work.sums
    products = blocks * work.taps * (costs.row + work.sums * costs.mac)
    each = costs.result + cycles.pointwise(parts.behind, host) + cycles.address(tiling.output)
    return cycles.priced(
        work.positions * (gathering + products + work.groups * work.outputs * each)
    )


def generate(layer: Layer, tiling: Tiling, host: Host) -> Generated:
    """Loops over output positions and groups: gather, multiply, store."""
    parts, work = parts_of(layer), work_of(layer)
    writer = Writer(host=host)
    shape = layer.tensors[parts.product.output].shape
    names: Indices
    place: Indices
    if isinstance(parts.op, ops.FloatConv2d):
        around, names, place = shape[2:], ("oy", "ox"), ("0", work.channel, "oy", "ox")
        gathered = _window(layer, tiling, parts, parts.op, writer)
    else:
        around, names = shape[:-1], index_names(shape[:-1])
        place = (*names, work.channel)
        gathered = _row(layer, tiling, parts, names, writer)
    step = [
        *gathered,
        *_multiplied(work, writer),
        *_stored(layer, tiling, parts, (work, place), writer),
    ]
    if work.groups > 1:
        step = loop("group", work.groups, step)
    lines = [
        "float *const sums = (float *)(void *)scratch;",
        f"float *const row = sums + {padded(work.outputs, work.sums)};",
        *fill_lines(tiling.output, layer.output.shape, "out"),
        *_fixed(around, names),
        *nest(around, range(len(around)), names, step),
    ]
    size = cycles.code_bytes(layer.nodes, host)
    return generated(lines, writer, constants=_constants(layer, parts, work), size_bytes=size)


def _fixed(extents: tuple[int, ...], names: Indices) -> Lines:
    """Indices that have no loop."""
    pairs = zip(names, extents, strict=True)
    return [f"const int32_t {name} = 0;" for name, extent in pairs if extent == 1 and name != "0"]


def _constants(layer: Layer, parts: Parts, work: Work) -> tuple[Constant, ...]:
    """Weights in the order they are multiplied, and the bias if there is one."""
    weights, *bias = (_floats(layer, name) for name in parts.product.inputs[1:])
    groups = np.split(weights.reshape(weights.shape[0], -1), work.groups)
    packed = np.concatenate([interleaved(group, work.sums) for group in groups])
    named = [("weights", packed), *(("bias", array) for array in bias)]
    return tuple(Constant(name=name, dtype=DType.FLOAT32, data=data) for name, data in named)


def _floats(layer: Layer, name: str) -> Array:
    value = layer.tensors[name].value
    if value is None:
        raise InternalError(f"operand {name} is not constant", seen=layer.name)
    return value


def _window(
    layer: Layer, tiling: Tiling, parts: Parts, op: ops.FloatConv2d, writer: Writer
) -> Lines:
    """Copies the window of output ``(oy, ox)`` to ``row``: channels, rows, columns."""
    _, _, height, width = layer.inputs[0].shape
    _, channels, *kernel = layer.tensors[parts.product.inputs[1]].shape
    extents = (channels, *kernel)
    c, *taps = (n if e > 1 else "0" for n, e in zip(("c", "ky", "kx"), extents, strict=True))
    y, x = (
        plus(_along(out, op.stride[axis], tap, op.dilation[axis]), -op.pad[axis])
        for axis, (out, tap) in enumerate(zip(("oy", "ox"), taps, strict=True))
    )
    channel = f"group * {channels} + {c}" if op.groups > 1 else c
    copied = [
        *_element(layer, tiling, parts, ("0", channel, "iy", "ix"), writer),
        "k++;",
    ]
    if any(op.pad):
        inside = f"if (iy >= 0 && iy < {height} && ix >= 0 && ix < {width})"
        copied = [*block(inside, copied), *block("else", ["row[k++] = 0.0f;"])]
    copied = [f"const int32_t iy = {y};", f"const int32_t ix = {x};", *copied]
    return ["int32_t k = 0;", *nest(extents, (0, 1, 2), (c, *taps), copied)]


def _along(out: str, stride: int, tap: str, dilation: int) -> str:
    start = out if stride == 1 else f"{out} * {stride}"
    if tap == "0":
        return start
    return f"{start} + {tap if dilation == 1 else f'{tap} * {dilation}'}"


def _row(layer: Layer, tiling: Tiling, parts: Parts, names: Indices, writer: Writer) -> Lines:
    """Copies one row of a dense layer's input to ``row``."""
    taps = layer.inputs[0].shape[-1]
    return loop("k", taps, _element(layer, tiling, parts, (*names, "k"), writer))


def _element(layer: Layer, tiling: Tiling, parts: Parts, indices: Indices, writer: Writer) -> Lines:
    """Statements that put one element of the input, as a float, at ``row[k]``."""
    source = layer.inputs[0]
    value = loaded(f"in0[{element(tiling.inputs[0], indices)}]", source.dtype)
    if parts.before:
        value = evaluate(parts.before, layer.tensors, {source.name: value}, indices, writer)
    if not value.is_float:
        operand = layer.tensors[parts.product.inputs[0]]
        value = _dequantised(parts.op, value, operand, writer)
    return [*_taken(writer), f"row[k] = {value.text};"]


def _dequantised(op: FloatProduct, value: Value, operand: Tensor, writer: Writer) -> Value:
    """The float a byte stands for; from a table of them all where floats are software."""
    if writer.host.fpu:
        text = f"(float)({plus(value.text, -op.input_zero_point)}) * {real(op.input_scale)}"
        return replace(value, text=writer.let(text, is_float=True), is_float=True)
    least, most = operand.dtype.bounds
    offsets = (np.arange(least, most + 1) - op.input_zero_point).astype(np.float32)
    table = writer.array("reals", DType.FLOAT32, offsets * np.float32(op.input_scale))
    return replace(value, text=f"{table}[{plus(value.text, -least)}]", is_float=True)


def _taken(writer: Writer) -> Lines:
    """The statements so far, which leave the writer: they belong to a block of their own."""
    lines = writer.body
    writer.setup.clear()
    writer.lines.clear()
    return lines


def _multiplied(work: Work, writer: Writer) -> Lines:
    """Sums of a group's channels, a few side by side."""
    name, text = float_block(work.sums)
    writer.needs(text)
    rows = padded(work.outputs, work.sums)
    group = f"group * {rows * work.taps} + " if work.groups > 1 else ""
    call = f"{name}(row, weights + {group}o * {work.taps}, {work.taps}, sums + o);"
    return loop("o", rows, [call], step=work.sums)


def _stored(
    layer: Layer, tiling: Tiling, parts: Parts, where: tuple[Work, Indices], writer: Writer
) -> Lines:
    """What follows the sums of a group, channel by channel."""
    work, place = where
    has_bias = len(parts.product.inputs) > 2
    total = f"sums[o] + bias[{work.channel}]" if has_bias else "sums[o]"
    value = Value(text=writer.let(total, is_float=True), is_float=True, lo=-inf, hi=inf)
    known = {parts.product.output: value}
    result = evaluate(parts.behind, layer.tensors, known, place, writer) if parts.behind else value
    address = element(tiling.output, place)
    kind = layer.output.dtype.c_name
    return loop("o", work.outputs, [*_taken(writer), f"out[{address}] = ({kind}){result.text};"])


KERNEL = Kernel(tilings=tilings, cost=cost, generate=generate)
