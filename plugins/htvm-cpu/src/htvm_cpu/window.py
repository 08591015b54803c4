"""Geometry of convolutions and the C that copies one window into a row of scratch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from htvm.api import Array, DType, Layer, Layout, ops
from htvm_cpu import cycles
from htvm_cpu.place import element
from htvm_cpu.snippet import Value
from htvm_cpu.text import Lines, block, grouped_copies, loop, plus

Ints = npt.NDArray[np.int64]

_UNROLLED = 4


@dataclass(frozen=True, kw_only=True)
class Window:
    """A convolution's sizes. Channel counts are those of one group.

    Attributes:
        image: Channels of all groups, height and width of the input.
        channels: Input channels of a group.
        outputs: Output channels of a group.
        groups: Number of groups.
        height: Output rows.
        width: Output columns.
        kernel: Height and width of the kernel.
        stride: Rows and columns between windows.
        dilation: Rows and columns between taps.
        pad: Top, left, bottom, right.
        zero_point: What padding holds.
    """

    image: tuple[int, int, int]
    channels: int
    outputs: int
    groups: int
    height: int
    width: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int, int, int]
    zero_point: int

    @property
    def taps(self) -> int:
        """Products of one output."""
        return self.channels * self.kernel[0] * self.kernel[1]

    @property
    def pixels(self) -> int:
        """Output positions."""
        return self.height * self.width

    @property
    def is_padded(self) -> bool:
        """Whether any window reaches outside the image."""
        return any(self.pad)

    @property
    def is_pointwise(self) -> bool:
        """Whether windows are single pixels, one after the other."""
        return self.kernel == (1, 1) and self.stride == (1, 1) and not self.is_padded


def window_of(layer: Layer) -> Window:
    """The geometry of a layer whose first node is a convolution."""
    node = layer.nodes[0]
    op = node.op
    if not isinstance(op, ops.Conv2d):
        raise TypeError(f"{node.name} is no convolution")
    _, channels, height, width = layer.tensors[node.inputs[0]].shape
    outputs, group_channels, kernel_height, kernel_width = layer.tensors[node.inputs[1]].shape
    _, _, out_height, out_width = layer.tensors[node.output].shape
    return Window(
        image=(channels, height, width),
        channels=group_channels,
        outputs=outputs // op.groups,
        groups=op.groups,
        height=out_height,
        width=out_width,
        kernel=(kernel_height, kernel_width),
        stride=op.stride,
        dilation=op.dilation,
        pad=op.pad,
        zero_point=op.input_zero_point,
    )


def centred_weights(layer: Layer) -> Ints:
    """Weights of the first node minus their zero point."""
    node = layer.nodes[0]
    weights = layer.tensors[node.inputs[1]].value
    if weights is None:
        raise TypeError(f"the weights of {node.name} are not constant")
    return weights.astype(np.int64) - getattr(node.op, "weight_zero_point", 0)


def bias_of(layer: Layer, outputs: int) -> Ints:
    """Bias of the first node, zeros if it has none."""
    node = layer.nodes[0]
    value = layer.tensors[node.inputs[2]].value if len(node.inputs) > 2 else None
    return np.zeros(outputs, np.int64) if value is None else value.astype(np.int64)


def narrow(weights: Ints) -> DType:
    """int8 where the centred weights fit, else int16."""
    fits = weights.size == 0 or (weights.min() >= -128 and weights.max() <= 127)
    return DType.INT8 if fits else DType.INT16


def wrapped(values: Ints) -> Array:
    """Integers reduced to int32, as the accumulator wraps."""
    return values.astype(np.int32)


def accumulator(name: str, dtype: DType, zero_point: int, weights: Ints, bias: Ints) -> Value:
    """A sum of products, bounded by its weights.

    Args:
        name: The C expression.
        dtype: Type of the activations.
        zero_point: Subtracted from them.
        weights: Centred weights, output channels first.
        bias: One value per output channel.
    """
    lo, hi = (end - zero_point for end in dtype.bounds)
    rows = weights.reshape(weights.shape[0], -1)
    up, down = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    greatest = int((up * hi + down * lo + bias).max())
    least = int((up * lo + down * hi + bias).min())
    if least < -(2**31) or greatest >= 2**31:
        return Value(text=name)
    return Value(text=name, lo=least, hi=greatest)


@dataclass(frozen=True, kw_only=True)
class Gather:
    """How a window's elements are copied.

    Attributes:
        layout: Layout of the image.
        dtype: Its element type.
        step: Distance between neighbouring elements in the destination.
        centred: Whether the zero point is subtracted on the way.
    """

    layout: Layout
    dtype: DType
    step: int
    centred: bool


def gather(window: Window, how: Gather) -> Lines:
    """C that copies the window of output ``(oy, ox)`` to ``row``, elements ``ky, kx, c``.

    Expects ``oy``, ``ox`` and a pointer ``row``; ``group`` when there are several.
    """
    (kh, kw), (dy, dx) = window.kernel, window.dilation
    top, left = window.pad[:2]
    taps = loop("kx", kw, _tap(window, how, dx)) if kw > 1 else _tap(window, how, 0)
    row = [f"const int32_t iy = y0 + {_scaled('ky', dy)};" if kh > 1 else "const int32_t iy = y0;"]
    lines = [
        f"const int32_t y0 = {plus(_scaled('oy', window.stride[0]), -top)};",
        f"const int32_t x0 = {plus(_scaled('ox', window.stride[1]), -left)};",
        "int32_t k = 0;",
    ]
    whole = _contiguous_row(window, how)
    if whole:
        row += block(f"if ({_inside(window)})", whole)
        row += block("else", taps) if window.is_padded else []
        row = row if window.is_padded else [row[0], *whole]
    else:
        row += taps
    return lines + (loop("ky", kh, row) if kh > 1 else row)


def _scaled(index: str, factor: int) -> str:
    return index if factor == 1 else f"{index} * {factor}"


def _inside(window: Window) -> str:
    _, height, width = window.image
    span = (window.kernel[1] - 1) * window.dilation[1] + 1
    return f"iy >= 0 && iy < {height} && x0 >= 0 && x0 <= {width - span}"


def _channel(window: Window) -> str:
    return "c" if window.groups == 1 else f"group * {window.channels} + c"


def _copied(window: Window, how: Gather, source: str) -> str:
    shift = plus(source, -window.zero_point) if how.centred else source
    target = "row[k]" if how.step == 1 else f"row[k * {how.step}]"
    return f"{target} = {'(int16_t)(' + shift + ')' if how.centred else shift};"


def _contiguous_row(window: Window, how: Gather) -> Lines:
    """A kernel row in one loop where its elements lie one after the other."""
    _, channel, _, column = how.layout.axes
    plain = how.layout.word_bytes == 1 and channel.block == column.block == 1
    gapless = column.stride == window.channels or window.kernel[1] == 1
    unit = channel.stride == 1 or window.channels == 1
    if not (plain and gapless and unit and window.dilation[1] == 1 and window.groups == 1):
        return []
    start = element(how.layout, ("0", "0", "iy", "x0"))
    count = window.kernel[1] * window.channels
    line = f"const {how.dtype.c_name} *line = in0 + {start};"
    if how.step > 1 and not how.centred and count % _UNROLLED == 0:
        parts = [
            (f"row[{plus(f'k * {how.step}', i * how.step)}]", f"line[{plus('i', i)}]")
            for i in range(_UNROLLED)
        ]
        body = [*grouped_copies(how.dtype.c_name, parts), f"k += {_UNROLLED};"]
        return [line, *loop("i", count, body, step=_UNROLLED)]
    return [line, *loop("i", count, [_copied(window, how, "line[i]"), "k++;"])]


def _tap(window: Window, how: Gather, dilation: int) -> Lines:
    """One tap: its channels, or padding."""
    _, height, width = window.image
    lines = [
        f"const int32_t ix = x0 + {_scaled('kx', dilation)};"
        if dilation
        else "const int32_t ix = x0;"
    ]
    place = element(how.layout, ("0", _channel(window), "iy", "ix"))
    copy = [_copied(window, how, f"in0[{place}]"), "k++;"]
    copies = loop("c", window.channels, copy)
    if not window.is_padded:
        return [*lines, *copies]
    inside = f"if (iy >= 0 && iy < {height} && ix >= 0 && ix < {width})"
    blank = "0" if how.centred else str(window.zero_point)
    target = "row[k]" if how.step == 1 else f"row[k * {how.step}]"
    padding = loop("c", window.channels, [f"{target} = {blank};", "k++;"])
    return [*lines, *block(inside, copies), *block("else", padding)]


def gather_cycles(window: Window, layout: Layout) -> float:
    """RI5CY cycles to gather every window of one group."""
    how = Gather(layout=layout, dtype=DType.INT8, step=4, centred=False)
    whole = bool(_contiguous_row(window, how))
    row = window.kernel[1] * window.channels
    fast = cycles.COPIED_BY_FOUR if row % _UNROLLED == 0 else cycles.COPIED
    slow = cycles.COPIED + (0.0 if whole else cycles.address(layout))
    total = 0.0
    rows_inside = sum(_taps_inside(window, 0))
    rows = window.height * window.kernel[0]
    for columns in _taps_inside(window, 1):
        if whole and columns == window.kernel[1]:
            total += rows_inside * (cycles.ROW + row * fast)
            total += (rows - rows_inside) * (cycles.EDGE_ROW + row * cycles.BLANK)
            continue
        inside = rows_inside * columns
        taps = rows * window.kernel[1]
        total += rows * cycles.EDGE_ROW + taps * cycles.EDGE_TAP
        total += window.channels * (inside * slow + (taps - inside) * cycles.BLANK)
    return total


def _taps_inside(window: Window, axis: int) -> list[int]:
    """For each output along an axis, the taps that lie inside the image."""
    extent, count = window.image[axis + 1], (window.height, window.width)[axis]
    starts = [index * window.stride[axis] - window.pad[axis] for index in range(count)]
    return [
        sum(0 <= start + tap * window.dilation[axis] < extent for tap in range(window.kernel[axis]))
        for start in starts
    ]
