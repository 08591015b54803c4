"""Changes of a graph, as values that can be weighed before one of them is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from htvm.ir.graph import Graph, Node
from htvm.ir.tensor import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """Nodes that take the place of others and compute the same.

    No tensor changes its elements: what holds other elements has another name, so that the graph
    before is a reference for the graph after.

    Attributes:
        removed: Names of the nodes that go.
        nodes: Those that come, in execution order, instead of the last that goes.
        tensors: Tensors they bring.
        main: Name of the node the change is about, which goes and comes again.
        text: What was done and why no number changes, for people.
    """

    removed: frozenset[str]
    nodes: tuple[Node, ...]
    tensors: tuple[Tensor, ...]
    main: str
    text: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Rewritten:
    """A graph after rewriting.

    Attributes:
        graph: It.
        notes: What was done to come to a node, by the node's name.
        refusals: Why a node could not be brought to an engine's arithmetic: node and engine ->
            reason.
        changes: How many layers were changed.
    """

    graph: Graph
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refusals: Mapping[tuple[str, str], str] = field(default_factory=dict)
    changes: int = 0


def changed(graph: Graph, change: Change) -> Graph:
    """The graph after a change."""
    last = max(at for at, node in enumerate(graph.nodes) if node.name in change.removed)
    nodes: list[Node] = []
    for at, node in enumerate(graph.nodes):
        if node.name not in change.removed:
            nodes.append(node)
        if at == last:
            nodes.extend(depth_first(change.nodes))
    tensors = {**graph.tensors, **{tensor.name: tensor for tensor in change.tensors}}
    used = {*graph.inputs, *(name for node in nodes for name in (*node.inputs, node.output))}
    kept = {name: tensor for name, tensor in tensors.items() if name in used}
    return replace(graph, nodes=tuple(nodes), tensors=kept)


def depth_first(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Nodes in an order in which each runs as late as it can, the last one staying last."""
    makers = {node.output: node for node in nodes}
    order: dict[str, Node] = {}

    def visit(node: Node) -> None:
        for name in node.inputs:
            if name in makers and name not in order:
                visit(makers[name])
        order[node.output] = node

    visit(list(makers.values())[-1])
    return tuple(order.values())


def piece(graph: Graph, names: Iterable[str]) -> Graph:
    """Some nodes as a network of their own."""
    chosen = set(names)
    nodes = tuple(node for node in graph.nodes if node.name in chosen)
    made = {node.output for node in nodes}
    read = dict.fromkeys(name for node in nodes for name in node.inputs)
    tensors = {name: graph.tensors[name] for name in (*read, *made)}
    outputs = [
        node.output
        for node in nodes
        if node.output in graph.outputs
        or any(user.name not in chosen for user in graph.consumers[node.output])
    ]
    return replace(
        graph,
        inputs=tuple(n for n in read if n not in made and not tensors[n].is_constant),
        outputs=tuple(outputs),
        nodes=nodes,
        tensors=tensors,
    )


def fresh(graph: Graph, wanted: str) -> str:
    """A name that no tensor and no node of the graph has."""
    taken = {*graph.tensors, *(node.name for node in graph.nodes)}
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def distinct(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Changes of one graph with no two nodes of a name, so that all of them can be made."""
    taken: set[str] = set()
    found = []
    for change in changes:
        nodes = []
        for node in change.nodes:
            name, number = node.name, 1
            while name in taken:
                number += 1
                name = f"{node.name} {number}"
            taken.add(name)
            nodes.append(replace(node, name=name))
        found.append(replace(change, nodes=tuple(nodes)))
    return tuple(found)


def title(word: str, node: str) -> str:
    """What a node is called that does a part of another's work.

    TFLite joins the names of what it fused by semicolons; the last one tells most.
    """
    return f"{word} {node.rsplit(';', maxsplit=1)[-1]}"


def sole_reader(graph: Graph, tensor: str) -> Node | None:
    """The one node that reads a tensor nobody outside sees, if there is exactly one."""
    readers = graph.consumers[tensor]
    if len(readers) != 1 or tensor in graph.outputs or readers[0].inputs.count(tensor) != 1:
        return None
    return readers[0]
