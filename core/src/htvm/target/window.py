"""Convolution and dense layers as one thing: a window that slides over an image."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from htvm.errors import InternalError
from htvm.ir import ops
from htvm.ir.ops import Pads, Pair
from htvm.target.hardware import Hardware
from htvm.target.layer import Layer
from htvm.target.pattern import Constraint

Kind = Literal["conv2d", "depthwise", "grouped"]


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The part of an image's axis that some outputs read.

    Attributes:
        first: First index inside the image.
        count: Indices inside the image, at least one.
        before: Where ``first`` lies as the window counts: indices of padding that come before it.
            Negative when the window begins behind the last index.
    """

    first: int
    count: int
    before: int

    @property
    def indices(self) -> range:
        """The indices read."""
        return range(self.first, self.first + self.count)


@dataclass(frozen=True, kw_only=True)
class Window:
    """The shape of a convolution, or of a dense layer as a 1x1 convolution of one pixel.

    Attributes:
        channels: Input channels.
        outputs: Output channels.
        rows: Input rows.
        columns: Input columns.
        out_rows: Output rows.
        out_columns: Output columns.
        kernel: Rows and columns of the kernel.
        stride: Along rows and columns.
        dilation: Along rows and columns.
        pad: Top, left, bottom, right.
        groups: Groups of channels that do not see each other.
        pad_value: What padding holds: the input's zero point.
    """

    channels: int
    outputs: int
    rows: int = 1
    columns: int = 1
    out_rows: int = 1
    out_columns: int = 1
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    pad: Pads = (0, 0, 0, 0)
    groups: int = 1
    pad_value: int = 0

    @property
    def kind(self) -> Kind:
        """How channels are connected: all to all, each to itself, or otherwise."""
        if self.groups == 1:
            return "conv2d"
        return "depthwise" if self.groups == self.channels == self.outputs else "grouped"

    def reach_rows(self, outputs: range) -> Reach:
        """The input rows that a range of output rows reads."""
        return self._reach(0, outputs, self.rows)

    def reach_columns(self, outputs: range) -> Reach:
        """The input columns that a range of output columns reads."""
        return self._reach(1, outputs, self.columns)

    def most_rows(self, outputs: int) -> int:
        """The most input rows that so many output rows read."""
        return self._most(0, outputs, self.rows)

    def most_columns(self, outputs: int) -> int:
        """The most input columns that so many output columns read."""
        return self._most(1, outputs, self.columns)

    def _most(self, axis: int, outputs: int, extent: int) -> int:
        taps = (self.kernel[axis] - 1) * self.dilation[axis] + 1
        return min(extent, (outputs - 1) * self.stride[axis] + taps)

    def _reach(self, axis: int, outputs: range, extent: int) -> Reach:
        start = outputs.start * self.stride[axis] - self.pad[axis]
        span = (len(outputs) - 1) * self.stride[axis]
        stop = start + span + (self.kernel[axis] - 1) * self.dilation[axis] + 1
        first = min(max(start, 0), extent - 1)
        return Reach(first=first, count=max(min(stop, extent) - first, 1), before=first - start)


def window_constraint(*kinds: Kind, dilated: bool = False) -> Constraint:
    """That a layer has a :class:`Window` of one of these kinds, on one image or vector.

    Args:
        kinds: The kinds the engine has.
        dilated: Whether it has dilation.
    """

    def check(layer: Layer, hardware: Hardware) -> str | None:
        del hardware
        if prod(layer.output.shape[:1]) != 1 or len(layer.output.shape) not in {2, 4}:
            return f"the output is {layer.output.shape}"
        found = window(layer)
        if found.kind not in kinds:
            return f"{found.groups} groups of {found.channels} channels to {found.outputs}"
        return None if dilated or found.dilation == (1, 1) else f"dilation is {found.dilation}"

    dilation = "" if dilated else ", dilation is 1"
    return Constraint(
        text=f"one image or vector; channels connect as {' or '.join(kinds)}{dilation}", check=check
    )


def window(layer: Layer) -> Window:
    """The window of a layer that holds one convolution or one dense layer of one vector.

    Raises:
        InternalError: The layer holds neither; its pattern should not have taken it.
    """
    for node in layer.nodes:
        shapes = [layer.tensors[name].shape for name in (node.inputs[0], node.output)]
        if isinstance(node.op, ops.Conv2d):
            return _convolution(node.op, layer.tensors[node.inputs[1]].shape, *shapes)
        if isinstance(node.op, ops.Dense) and prod(shapes[0][:-1]) == 1:
            zero = node.op.input_zero_point
            return Window(channels=shapes[0][-1], outputs=shapes[1][-1], pad_value=zero)
    raise InternalError(f"layer {layer.name} has no window: pattern {layer.pattern} took it")


def _convolution(
    op: ops.Conv2d, weights: tuple[int, ...], source: tuple[int, ...], result: tuple[int, ...]
) -> Window:
    return Window(
        channels=source[1],
        rows=source[2],
        columns=source[3],
        outputs=result[1],
        out_rows=result[2],
        out_columns=result[3],
        kernel=(weights[2], weights[3]),
        stride=op.stride,
        dilation=op.dilation,
        pad=op.pad,
        groups=op.groups,
        pad_value=op.input_zero_point,
    )
