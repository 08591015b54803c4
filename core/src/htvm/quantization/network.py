"""The network that is to be quantised: real numbers, few ops, images NCHW.

Ops that move, pick or clip elements are those of :mod:`htvm.ir.ops`; those here compute sums of
real numbers. Their bounds are the activation that follows, so that quantisation meets a layer and
its ReLU as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf

import numpy as np
import numpy.typing as npt

from htvm.ir.graph import Node
from htvm.ir.ops import Op, Pads, Pair

Shape = tuple[int, ...]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sum(Op):
    """An op that computes sums, the result clipped to ``[lo, hi]``."""

    lo: float = -inf
    hi: float = inf


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear(Sum):
    """A layer with weights.

    Attributes:
        weights: ``(K, C/groups, kh, kw)`` of a convolution, ``(N, K)`` of a matrix product.
        bias: ``(K,)`` or ``(N,)``.
    """

    weights: Floats
    bias: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv(Linear):
    """``(x)``: convolution of an image ``(1, C, H, W)``, padded with zeros."""

    stride: Pair = (1, 1)
    pad: Pads = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def is_depthwise(self) -> bool:
        """Whether every output channel reads the input channel of its own number."""
        return self.groups > 1 and self.weights.shape[:2] == (self.groups, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(Linear):
    """``(x)``: ``x (.., K)`` times the transposed weights, plus bias."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(Sum):
    """``(a, b)``: sum of two tensors of one shape."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AvgPool(Sum):
    """``(x)``: mean of each window; without padding, or with padding that counts as zeros."""

    kernel: Pair
    stride: Pair
    pad: Pads = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Softmax(Op):
    """``(x)``: softmax over ``axis``."""

    axis: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Sigmoid(Op):
    """``(x)``: ``1 / (1 + exp(-x))``."""


@dataclass(frozen=True, kw_only=True)
class Hint:
    """How a quantised source stored a tensor: ``real = scale * (integer - zero_point)``."""

    scale: float
    zero_point: int
    dtype: str


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatNetwork:
    """A network of real numbers.

    Attributes:
        name: The file's name without suffix.
        inputs: Tensors given.
        output: The tensor returned.
        layers: In an order in which they can run.
        shapes: Of every tensor, batch 1.
        hints: The source's own integers, where it was quantised.
        channels_last: Whether four-dimensional inputs are NHWC in the file.
        notes: What the user should know about the reading.
        factors: What each channel of a tensor was divided by when layers were equalised.
    """

    name: str
    inputs: tuple[str, ...]
    output: str
    layers: tuple[Node, ...]
    shapes: Mapping[str, Shape]
    hints: Mapping[str, Hint] = field(default_factory=dict)
    channels_last: bool = False
    notes: tuple[str, ...] = ()
    factors: Mapping[str, Floats] = field(default_factory=dict)

    @cached_property
    def producers(self) -> Mapping[str, Node]:
        """The layer that writes each computed tensor."""
        return {layer.output: layer for layer in self.layers}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Node, ...]]:
        """The layers that read each tensor, in execution order."""
        found: dict[str, list[Node]] = {name: [] for name in self.shapes}
        for layer in self.layers:
            for name in dict.fromkeys(layer.inputs):
                found[name].append(layer)
        return {name: tuple(layers) for name, layers in found.items()}

    def only_reader(self, tensor: str) -> Node | None:
        """The one layer that reads a tensor nobody else needs, or None."""
        readers = self.consumers[tensor]
        return readers[0] if len(readers) == 1 and tensor != self.output else None

    def with_ops(self, ops: Mapping[str, Op]) -> FloatNetwork:
        """The same network with other ops, by layer name."""
        layers = [replace(layer, op=ops.get(layer.name, layer.op)) for layer in self.layers]
        return replace(self, layers=tuple(layers))
