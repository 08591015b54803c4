"""The result of dispatch: which engine runs what, in which order and in which layouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from htvm.ir.graph import Graph
from htvm.ir.layout import Layout
from htvm.ir.tensor import Tensor
from htvm.target.layer import Cost, Layer, Tiling

Place = Literal["input", "output", "arena"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Value:
    """A tensor as it lies in memory.

    Attributes:
        name: Unique in the plan.
        tensor: The logical tensor.
        layout: Where its elements lie.
        buffer: Name of the buffer that holds it; views share their source's buffer.
    """

    name: str
    tensor: Tensor
    layout: Layout
    buffer: str

    @property
    def size_bytes(self) -> int:
        """Bytes, padding included."""
        return self.layout.size_bytes(self.tensor.dtype)


@dataclass(frozen=True, kw_only=True)
class Storage:
    """A buffer of main memory.

    Attributes:
        name: Unique in the plan.
        size_bytes: Its size.
        place: The caller's input, the caller's output, or htvm's arena.
    """

    name: str
    size_bytes: int
    place: Place


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """Another way to run a layer, or why there is none.

    Attributes:
        engine: The engine.
        pattern: Its pattern.
        cycles: What its best tiling costs by itself; None when it cannot run the layer.
        reason: Why it cannot; empty when it can.
    """

    engine: str
    pattern: str
    cycles: int | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerStep:
    """A layer run by an engine.

    Attributes:
        name: The layer's name.
        layer: The layer.
        tiling: How it runs.
        inputs: Names of the values read, in the layer's order.
        output: Name of the value written.
        cost: Its cycles.
        alternatives: Every other engine and pattern considered for the same work.
    """

    name: str
    layer: Layer
    tiling: Tiling
    inputs: tuple[str, ...]
    output: str
    cost: Cost
    alternatives: tuple[Alternative, ...] = ()

    @property
    def engine(self) -> str:
        """The engine."""
        return self.layer.engine


@dataclass(frozen=True, kw_only=True, eq=False)
class ConvertStep:
    """The host copies a tensor into another layout.

    Attributes:
        name: Unique name of the step.
        source: Name of the value read.
        output: Name of the value written.
        cost: Its cycles.
    """

    name: str
    source: str
    output: str
    cost: Cost

    @property
    def engine(self) -> str:
        """The host."""
        return "cpu"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the values read."""
        return (self.source,)


@dataclass(frozen=True, kw_only=True, eq=False)
class ViewStep:
    """A transpose or reshape that costs nothing: the same bytes under another shape.

    Attributes:
        name: Readable name of the node.
        node: Name of the graph's node.
        source: Name of the value seen.
        output: Name of the value it is seen as.
    """

    name: str
    node: str
    source: str
    output: str


Step = LayerStep | ConvertStep
"""What runs and takes time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dispatch:
    """The network as an ordered list of work.

    Attributes:
        graph: The network.
        steps: Layers and conversions, in execution order.
        views: Nodes that became views.
        values: Every tensor in every layout it takes, by name.
        storages: Every buffer, by name.
        inputs: Value name of each graph input, in order.
        outputs: Value name of each graph output, in order.
    """

    graph: Graph
    steps: tuple[Step, ...]
    views: tuple[ViewStep, ...]
    values: Mapping[str, Value]
    storages: Mapping[str, Storage]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def cycles(self) -> int:
        """Cycles of the whole network, conversions included."""
        return sum(step.cost.total for step in self.steps)

    @property
    def layers(self) -> tuple[LayerStep, ...]:
        """The steps that are layers."""
        return tuple(step for step in self.steps if isinstance(step, LayerStep))
