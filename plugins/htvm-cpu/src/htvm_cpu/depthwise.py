"""Depthwise convolution: one filter per channel.

On a core that vectorises, a ring of padded input rows is kept in scratch as int16 and all channels
of a pixel are summed at once. On a scalar core, one channel's padded plane at a time is copied to
scratch, and the filter stays in registers while it slides.
"""

from __future__ import annotations

from itertools import product

from htvm.api import Constant, Cost, DType, Layer, Layout, Offers, Tiling, channels_last
from htvm_cpu import cycles
from htvm_cpu.host import Host
from htvm_cpu.kernel import UNPRICED, Generated, Kernel, finish, generated, tail_nodes
from htvm_cpu.place import choices, element, fill_lines
from htvm_cpu.snippet import Value, Writer
from htvm_cpu.text import Lines, block, grouped_copies, loop, plus
from htvm_cpu.window import (
    Window,
    accumulator,
    bias_of,
    centred_weights,
    narrow,
    window_of,
    wrapped,
)

_UNROLLED_TAPS = 25
_UNROLLED_COPIES = 4


def takes(layer: Layer) -> bool:
    """Whether the layer is a depthwise convolution."""
    window = window_of(layer)
    return window.channels == 1 and window.outputs == 1 and window.groups > 1


def _extent(window: Window) -> tuple[int, int]:
    """Rows and columns of the padded image."""
    _, height, width = window.image
    top, left, bottom, right = window.pad
    return height + top + bottom, width + left + right


def tilings(layer: Layer, offers: Offers, host: Host) -> tuple[Tiling, ...]:
    """Any layouts."""
    window = window_of(layer)
    reads = choices(offers.inputs[0], layer.inputs[0].shape, read=True, usable=_is_image)
    writes = choices(offers.output, layer.output.shape, read=False, usable=_is_image)
    return tuple(
        Tiling(
            inputs=(read,),
            output=write,
            cost=UNPRICED,
            summary="channel by channel" if host.is_scalar else "row by row, all channels at once",
            scratch_bytes=_scratch_bytes(window, host),
        )
        for read in reads
        for write in writes
    )


def _is_image(layout: Layout) -> bool:
    return len(layout.axes) == 4


def _scratch_bytes(window: Window, host: Host) -> int:
    rows, columns = _extent(window)
    if host.is_scalar:
        return rows * columns
    sums = 4 * window.groups
    return sums + 2 * _ring_rows(window) * columns * window.groups


def _ring_rows(window: Window) -> int:
    """Rows kept: those one output row reads."""
    return (window.kernel[0] - 1) * window.dilation[0] + 1


def cost(layer: Layer, tiling: Tiling, host: Host) -> Cost:
    """Copying the padded image, taps, requantisation."""
    window = window_of(layer)
    rows, columns = _extent(window)
    _, height, width = window.image
    each_copy = cycles.PLANE if width % _UNROLLED_COPIES else cycles.PLANE_BY_FOUR
    if tiling.inputs[0] != channels_last(layer.inputs[0].shape):
        each_copy += cycles.address(tiling.inputs[0])
    channel = cycles.CHANNEL + height * width * each_copy
    blank = rows * columns * cycles.PLANE_BLANK if window.is_padded else 0.0
    taps = window.kernel[0] * window.kernel[1]
    tap = cycles.TAP if taps <= cycles.MOST_HELD_TAPS else cycles.SPILLED_TAP
    each = taps * tap + cycles.pointwise(tail_nodes(layer), host) + cycles.SUM
    if tiling.output != channels_last(layer.output.shape):
        each += cycles.address(tiling.output)
    return cycles.priced(blank + window.groups * (channel + window.pixels * each))


def generate(layer: Layer, tiling: Tiling, host: Host) -> Generated:
    """C for either kind of core."""
    window = window_of(layer)
    weights = centred_weights(layer)
    bias = bias_of(layer, window.groups)
    dtype = narrow(weights)
    rows = weights.reshape(window.groups, -1)
    folded = bias - window.zero_point * rows.sum(axis=1) if host.is_scalar else bias
    packed = rows if host.is_scalar else rows.T
    constants = (
        Constant(name="weights", dtype=dtype, data=packed.reshape(-1).astype(dtype.numpy)),
        Constant(name="bias", dtype=DType.INT32, data=wrapped(folded)),
    )
    writer = Writer(host=host)
    body = _planes if host.is_scalar else _rows
    lines = fill_lines(tiling.output, layer.output.shape, "out")
    lines += body(layer, tiling, window, dtype, writer)
    size = cycles.code_bytes(layer.nodes, host)
    return generated(lines, writer, constants=constants, size_bytes=size)


def _result(
    layer: Layer,
    tiling: Tiling,
    text: str,
    writer: Writer,
) -> Lines:
    """Requantise and store one sum."""
    window = window_of(layer)
    weights = centred_weights(layer)
    bias = bias_of(layer, window.groups)
    bounds = accumulator("", layer.inputs[0].dtype, window.zero_point, weights, bias)
    name = writer.let(text)
    indices = ("0", "c", "oy", "ox")
    result = finish(layer, Value(text=name, lo=bounds.lo, hi=bounds.hi), indices, writer)
    place = element(tiling.output, indices)
    return [*writer.lines, f"out[{place}] = ({layer.output.dtype.c_name}){result.text};"]


def _rows(
    layer: Layer,
    tiling: Tiling,
    window: Window,
    dtype: DType,
    writer: Writer,
) -> Lines:
    """Vectorised form: channels innermost."""
    _, columns = _extent(window)
    channels = window.groups
    ring, step = _ring_rows(window), window.stride[0]
    del dtype
    new = [
        *block(
            f"for (; filled < oy * {step} + {ring}; filled++)",
            _ring_row(layer, tiling.inputs[0], window),
        )
    ]
    taps = [
        f"line{ky}[(ox * {window.stride[1]} + {kx * window.dilation[1]}) * {channels} + c]"
        f" * weights[{(ky * window.kernel[1] + kx) * channels} + c]"
        for ky, kx in product(range(window.kernel[0]), range(window.kernel[1]))
    ]
    lines_of = [
        f"const int16_t *line{ky} = ring + (oy * {step} + {ky * window.dilation[0]}) % {ring}"
        f" * {columns * channels};"
        for ky in range(window.kernel[0])
    ]
    total = [f"sums[c] = {taps[0]}", *(f"    + {tap}" for tap in taps[1:])]
    total[-1] += ";"
    store = _result(layer, tiling, "(int32_t)((uint32_t)sums[c] + (uint32_t)bias[c])", writer)
    pixel = [*loop("c", channels, total), *loop("c", channels, [*writer.setup, *store])]
    row = [*new, *lines_of, *loop("ox", window.width, pixel)]
    return [
        "int32_t *const restrict sums = (int32_t *)(void *)scratch;",
        f"int16_t *const restrict ring = (int16_t *)(void *)(scratch + {4 * channels});",
        "int32_t filled = 0;",
        *loop("oy", window.height, row),
    ]


def _ring_row(layer: Layer, layout: Layout, window: Window) -> Lines:
    """Copy input row ``filled - top`` to its place in the ring, padding around it."""
    _, height, width = window.image
    channels = window.groups
    top, left, _, right = window.pad
    _, columns = _extent(window)
    size = columns * channels
    value = f"in0[{element(layout, ('0', 'c', 'iy', 'x'))}]"
    centred = f"(int16_t)({plus(value, -window.zero_point)})"
    ring = _ring_rows(window)
    copy = [f"row[({plus('x', left)}) * {channels} + c] = {centred};"]
    if layout == channels_last(layer.inputs[0].shape):
        source = f"in0 + iy * {width * channels}"
        start = f"row[{plus('i', left * channels)}]"
        inside = [
            f"const {layer.inputs[0].dtype.c_name} *line = {source};",
            *loop(
                "i",
                width * channels,
                [f"{start} = (int16_t)({plus('line[i]', -window.zero_point)});"],
            ),
        ]
    else:
        inside = loop("x", width, loop("c", channels, copy))
    if left:
        inside += loop("i", left * channels, ["row[i] = 0;"])
    if right:
        inside += loop("i", right * channels, [f"row[i + {size - right * channels}] = 0;"])
    lines = [
        f"int16_t *row = ring + filled % {ring} * {size};",
        f"const int32_t iy = {plus('filled', -top)};",
    ]
    if top == 0 and window.pad[2] == 0:
        return [*lines, *inside]
    blank = loop("i", size, ["row[i] = 0;"])
    return [*lines, *block(f"if (iy >= 0 && iy < {height})", inside), *block("else", blank)]


def _planes(
    layer: Layer,
    tiling: Tiling,
    window: Window,
    dtype: DType,
    writer: Writer,
) -> Lines:
    """Scalar form: one channel at a time."""
    rows, columns = _extent(window)
    taps = window.kernel[0] * window.kernel[1]
    kind = layer.inputs[0].dtype.c_name
    sums, held = _slid(window, columns, taps)
    store = _result(layer, tiling, "(int32_t)((uint32_t)sum + (uint32_t)start)", writer)
    pixel = [*sums, *store, f"x += {window.stride[1]};"]
    row = [
        f"const {kind} *x = plane + oy * {window.stride[0] * columns};",
        *loop("ox", window.width, pixel),
    ]
    channel = [
        *_plane_copy(tiling.inputs[0], window, columns, kind),
        f"const {dtype.c_name} *const w = weights + c * {taps};",
        *held,
        "const int32_t start = bias[c];",
        *writer.setup,
        *loop("oy", window.height, row),
    ]
    lines = [f"{kind} *const restrict plane = ({kind} *)(void *)scratch;"]
    if window.is_padded:
        lines += loop("i", rows * columns, [f"plane[i] = {window.zero_point};"])
    return [*lines, *loop("c", window.groups, channel)]


def _slid(window: Window, columns: int, taps: int) -> tuple[Lines, Lines]:
    """The sum of one window, and what is held in registers for it."""
    (kh, kw), (dy, dx) = window.kernel, window.dilation
    if taps <= _UNROLLED_TAPS:
        held = [f"const int32_t w{t} = w[{t}];" for t in range(taps)]
        parts = [
            f"x[{ky * dy * columns + kx * dx}] * w{ky * kw + kx}"
            for ky, kx in product(range(kh), range(kw))
        ]
        lines = [f"int32_t sum = {parts[0]};", *(f"sum += {part};" for part in parts[1:])]
        return lines, held
    inner = [f"sum += x[ky * {dy * columns} + kx * {dx}] * w[ky * {kw} + kx];"]
    return ["int32_t sum = 0;", *loop("ky", kh, loop("kx", kw, inner))], []


def _plane_copy(layout: Layout, window: Window, columns: int, kind: str) -> Lines:
    """Copy channel ``c`` into the middle of the padded plane."""
    _, height, width = window.image
    first = window.pad[0] * columns + window.pad[1]
    step = next(step for step in (_UNROLLED_COPIES, 1) if width % step == 0)
    copies = []
    for ahead in range(step):
        value = element(layout, ("0", "c", "y", plus("x", ahead)))
        copies.append((f"plane[y * {columns} + {plus('x', first + ahead)}]", f"in0[{value}]"))
    body = grouped_copies(kind, copies)
    return loop("y", height, loop("x", width, body, step=step))


KERNEL = Kernel(tilings=tilings, cost=cost, generate=generate)
