"""Builds layers from matched nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from htvm.ir import ops
from htvm.ir.graph import Graph, Node
from htvm.partition.templates import Found
from htvm.target.layer import Layer
from htvm.target.pattern import Pattern


def node_macs(graph: Graph, node: Node) -> int:
    """Multiply-accumulates of a node by its definition; 0 for all but products."""
    out = graph.tensors[node.output].elements
    if isinstance(node.op, ops.Conv2d | ops.FloatConv2d):
        return out * prod(graph.tensors[node.inputs[1]].shape[1:])
    if isinstance(node.op, ops.Dense | ops.FloatDense | ops.MatMul):
        return out * graph.tensors[node.inputs[0]].shape[-1]
    return 0


def principal(graph: Graph, nodes: tuple[Node, ...]) -> Node:
    """The node a layer is named after: the first that multiplies, else the last."""
    return next((node for node in nodes if node_macs(graph, node)), nodes[-1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Chains:
    """Positions of a graph's nodes, so that sets of names can be put in execution order."""

    graph: Graph
    positions: Mapping[str, int]

    @classmethod
    def of(cls, graph: Graph) -> Chains:
        """For one graph."""
        return cls(graph=graph, positions={node.name: at for at, node in enumerate(graph.nodes)})

    def ordered(self, names: frozenset[str]) -> tuple[Node, ...]:
        """The named nodes in execution order."""
        return tuple(self.graph.nodes[at] for at in sorted(self.positions[n] for n in names))


def leaking(graph: Graph, nodes: tuple[Node, ...]) -> str | None:
    """The first inner tensor that something outside also reads, or None."""
    inside = {node.name for node in nodes}
    for node in nodes[:-1]:
        outside = any(user.name not in inside for user in graph.consumers[node.output])
        if outside or node.output in graph.outputs:
            return node.output
    return None


def build_layer(
    graph: Graph, pattern: Pattern, nodes: tuple[Node, ...], found: Found, names: Mapping[str, str]
) -> Layer:
    """The layer of a match.

    Args:
        graph: The network.
        pattern: What matched.
        nodes: The matched nodes in execution order.
        found: The match.
        names: Readable names of the nodes.
    """
    made = {node.output for node in nodes}
    touched = [name for node in nodes for name in (*node.inputs, node.output)]
    read = [name for node in nodes for name in node.inputs if name not in made]
    return Layer(
        name=names[principal(graph, nodes).name],
        engine=pattern.engine,
        pattern=pattern.name,
        nodes=nodes,
        captures=dict(found.captures),
        inputs=tuple(
            graph.tensors[name]
            for name in dict.fromkeys(read)
            if not graph.tensors[name].is_constant
        ),
        output=graph.tensors[nodes[-1].output],
        tensors={name: graph.tensors[name] for name in dict.fromkeys(touched)},
        macs=sum(node_macs(graph, node) for node in nodes),
    )
