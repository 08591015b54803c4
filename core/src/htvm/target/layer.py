"""A layer: nodes of the graph that one engine runs as one piece of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from htvm.ir.graph import Node
from htvm.ir.layout import Layout
from htvm.ir.ops import Op
from htvm.ir.tensor import Array, Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """Matched nodes, with everything needed to run them and nothing of the rest of the graph.

    Attributes:
        name: Unique in the network; taken from the source's names.
        engine: The engine that may run it.
        pattern: Name of the pattern that matched.
        nodes: In execution order.
        captures: Nodes by the name the pattern gave them.
        inputs: Computed tensors read from outside, each once, in order of first use.
        output: The one tensor visible outside.
        tensors: Every tensor the nodes touch, by name.
        macs: Multiply-accumulates of the source's definition (convolution, dense, matmul).
    """

    name: str
    engine: str
    pattern: str
    nodes: tuple[Node, ...]
    captures: Mapping[str, Node]
    inputs: tuple[Tensor, ...]
    output: Tensor
    tensors: Mapping[str, Tensor]
    macs: int = 0

    def op(self, capture: str) -> Op:
        """The op captured under a name."""
        return self.captures[capture].op

    def operand(self, capture: str, index: int) -> Tensor | None:
        """Input ``index`` of the captured node, or None if it is absent."""
        inputs = self.captures[capture].inputs
        return self.tensors[inputs[index]] if index < len(inputs) else None

    def constant(self, capture: str, index: int) -> Array | None:
        """Value of constant input ``index`` of the captured node, or None if absent."""
        tensor = self.operand(capture, index)
        return None if tensor is None else tensor.value


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cycles of one layer, whole numbers.

    Attributes:
        total: Latency. With overlap, less than the sum of the parts.
        compute: The engine computing.
        transfer: Moving data between memories.
        overhead: Starting jobs, loops, calls.
    """

    total: int
    compute: int
    transfer: int = 0
    overhead: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Tiling:
    """How an engine runs one layer. Plug-ins derive their own frozen class and add fields.

    Attributes:
        inputs: Layout asked of each of the layer's inputs.
        output: Layout the output is written in.
        cost: Cycles, from the target's cost model.
        tiles: Number of tiles.
        summary: The tile and the loop order, for people: ``"K=16 of 64, whole rows"``.
        rewrites: Exact rewrites used, for people.
        scratch_bytes: Main memory needed only while the layer runs.
        constant_bytes: Main memory its packed constants take. When a network is too large for the
            chip, a slower tiling with fewer of them may be chosen, if the engine offers one.
        in_place: Index of the input whose buffer the output may take over; None if not allowed.
        runner_up: The best tiling not taken and what it would have cost, for people.
    """

    inputs: tuple[Layout, ...]
    output: Layout
    cost: Cost
    tiles: int = 1
    summary: str = ""
    rewrites: tuple[str, ...] = ()
    scratch_bytes: int = 0
    constant_bytes: int = 0
    in_place: int | None = None
    runner_up: str = ""


@dataclass(frozen=True, kw_only=True)
class Offers:
    """Layouts worth considering for a layer's tensors, because a neighbour wants or makes them.

    Attributes:
        inputs: For each input, the candidate layouts.
        output: Candidate layouts of the output.
    """

    inputs: tuple[tuple[Layout, ...], ...]
    output: tuple[Layout, ...] = field(default=())
