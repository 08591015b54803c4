"""What is known of a source tensor while its graph is being read.

The reader runs the source graph on these instead of on numbers. Most kinds are promises: nothing
is computed until a consumer says in which form it needs the tensor, so a convolution meets the
quantisation that follows it, whatever stands between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from htvm.frontend.onnx.grid import Grid
from htvm.ir.dtype import DType
from htvm.ir.ops import Op, Reshape, Transpose
from htvm.ir.requant import Floats, Ints
from htvm.ir.tensor import Array

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Value:
    """Base of all kinds.

    Attributes:
        shape: Logical shape.
        node: Source node that computed it, or ``""``.
        name: The source's name of the tensor.
        sources: Source nodes not yet told to any node of the integer graph.
    """

    shape: Shape
    node: str = ""
    name: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Known(Value):
    """A constant: ``array`` itself, or the numbers its integers stand for on ``grid``."""

    array: Array
    grid: Grid | None = None

    @property
    def real(self) -> Array:
        """The numbers the source means."""
        return self.array if self.grid is None else self.grid.real(self.array)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stored(Value):
    """A tensor of the integer graph, clipped to ``[lo, hi]`` (float tensors only)."""

    tensor: str
    dtype: DType
    lo: float = -inf
    hi: float = inf


@dataclass(frozen=True, kw_only=True, eq=False)
class Coded(Value):
    """A float32 function of an 8-bit tensor: ``table[x - least x]``.

    Attributes:
        tensor: The 8-bit tensor.
        dtype: Its type.
        table: 256 numbers.
        grid: Set when the function is dequantisation and nothing else.
    """

    tensor: str
    dtype: DType
    table: Floats
    grid: Grid | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A reshape or transpose put off until after requantisation, which does not mind.

    Attributes:
        op: It.
        shape: Of its result.
        node: The source node it is.
        of: The source's node and tensor it is applied to; None if the source has no such tensor.
    """

    op: Reshape | Transpose
    shape: Shape
    node: str
    of: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Accumulated(Value):
    """An int32 accumulator not yet computed, then ``views``; subclasses say what it stands for.

    Attributes:
        op: The op that accumulates.
        inputs: Its operands' tensors, without the bias.
        bias: Kept apart, because a later Add may still supply it.
        bias_name: The source's name of the bias.
        job: Names of the node and tensor of the accumulator.
        told: Source nodes the accumulating node stands for; ``sources`` are those after it.
        acc_shape: Shape of the accumulator.
        channels: Axis of it that has a bias and scale each; None when nothing has.
        views: Applied in order.
    """

    op: Op
    inputs: tuple[str, ...]
    bias: Ints | None = None
    bias_name: str = ""
    job: tuple[str, str]
    told: tuple[str, ...]
    acc_shape: Shape
    channels: int | None
    views: tuple[View, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaled(Accumulated):
    """``clip(accumulator * scale / count, lo, hi)`` in real numbers.

    Attributes:
        scale: float32, length 1 or that of ``channels``.
        count: Elements averaged over; the division is part of the requantisation's scale.
        lo: Lower bound of an absorbed activation.
        hi: Upper bound of an absorbed activation.
    """

    scale: Floats
    count: int = 1
    lo: float = -inf
    hi: float = inf


@dataclass(frozen=True, kw_only=True, eq=False)
class Joined(Value):
    """Parts to be concatenated along ``axis``, each still in its own form."""

    parts: tuple[Value, ...]
    axis: int
