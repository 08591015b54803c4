"""Edits of a graph that keep it whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from htvm.ir.graph import Graph, Node
from htvm.ir.tensor import Tensor


def until_done(graph: Graph, step: Callable[[Graph], Graph | None]) -> Graph:
    """Apply a step until it finds nothing more to change and returns None."""
    while (changed := step(graph)) is not None:
        graph = changed
    return graph


def edited(
    graph: Graph, nodes: Mapping[str, Node | None], tensors: Mapping[str, Tensor] | None = None
) -> Graph:
    """The graph with some nodes replaced, or removed where None stands for them.

    Args:
        graph: The graph.
        nodes: New nodes by the names of the old ones.
        tensors: Tensors to add or replace.
    """
    kept = (nodes.get(node.name, node) for node in graph.nodes)
    return replace(
        graph,
        nodes=tuple(node for node in kept if node is not None),
        tensors={**graph.tensors, **(tensors or {})},
    )


def told(first: Node, second: Node) -> tuple[str, ...]:
    """Source nodes of two nodes that became one."""
    return tuple(dict.fromkeys((*first.source, *second.source)))


def only_reader(graph: Graph, tensor: str) -> Node | None:
    """The one node that reads a tensor nobody outside sees, if there is exactly one."""
    readers = graph.consumers[tensor]
    if len(readers) != 1 or tensor in graph.outputs or readers[0].inputs.count(tensor) != 1:
        return None
    return readers[0]


def without(graph: Graph, node: Node) -> Graph | None:
    """The graph without a node that changes nothing; None if its names cannot be spared.

    The writer of the node's input takes over its source nodes.
    """
    before, after = node.inputs[0], node.output
    writer = graph.producers.get(before)
    if after not in graph.outputs:
        kept, gone = before, after
    elif writer is not None and before not in graph.outputs:
        kept, gone = after, before
    else:
        return None
    nodes: dict[str, Node | None] = {}
    for other in graph.nodes:
        if gone in (*other.inputs, other.output) or other is writer:
            nodes[other.name] = replace(
                other,
                inputs=tuple(kept if name == gone else name for name in other.inputs),
                output=kept if other.output == gone else other.output,
                source=told(other, node) if other is writer else other.source,
            )
    nodes[node.name] = None
    tensor = graph.tensors[kept]
    meaning = tensor.quantization or graph.tensors[gone].quantization
    return edited(graph, nodes, {kept: replace(tensor, quantization=meaning)})


def live(graph: Graph) -> Graph:
    """The graph without what no output depends on."""
    wanted = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.output in wanted:
            kept.append(node)
            wanted.update(node.inputs)
    names = wanted | set(graph.inputs)
    if len(kept) == len(graph.nodes) and len(names) == len(graph.tensors):
        return graph
    tensors = {name: tensor for name, tensor in graph.tensors.items() if name in names}
    return replace(graph, nodes=tuple(reversed(kept)), tensors=tensors)
