"""Matches a template against the graph, from a node back to what it is computed from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from htvm.ir.graph import Graph, Node
from htvm.target.pattern import ANY, COMPUTED, CONSTANT, Template

_KINDS = (ANY, COMPUTED, CONSTANT)


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """One way a template fits.

    Attributes:
        nodes: Names of the matched nodes.
        captures: Capture name -> node.
    """

    nodes: frozenset[str] = frozenset()
    captures: tuple[tuple[str, Node], ...] = ()

    def joined(self, other: Found) -> Found:
        """Both together."""
        return Found(nodes=self.nodes | other.nodes, captures=self.captures + other.captures)


def match_template(graph: Graph, template: Template, root: Node) -> Iterator[Found]:
    """Every way ``template`` fits with ``root`` as its last node.

    A template's entries beyond a node's inputs fit only where they are ``ANY``; a node's inputs
    beyond the entries must be constant.
    """
    if isinstance(root.op, template.ops):
        for order in _orders(template):
            for found in _match_inputs(graph, order, root.inputs):
                own = ((template.capture, root),) if template.capture else ()
                yield Found(nodes=frozenset({root.name}), captures=own).joined(found)


def _orders(template: Template) -> tuple[tuple[Template | str, ...], ...]:
    if not template.commutative:
        return (template.inputs,)
    first, rest = template.inputs[:2], template.inputs[2:]
    return tuple((*order, *rest) for order in permutations(first))


def _match_inputs(
    graph: Graph, entries: tuple[Template | str, ...], inputs: tuple[str, ...]
) -> Iterator[Found]:
    if not entries:
        if all(graph.tensors[name].is_constant for name in inputs):
            yield Found()
        return
    heads = _match_input(graph, entries[0], inputs[0] if inputs else None)
    for head in heads:
        for rest in _match_inputs(graph, entries[1:], inputs[1:]):
            yield head.joined(rest)


def _match_input(graph: Graph, entry: Template | str, name: str | None) -> Iterator[Found]:
    if isinstance(entry, str):
        if _accepts(graph, entry, name):
            yield Found()
        return
    if name is None:
        return
    producer = graph.producers.get(name)
    if producer is not None:
        yield from match_template(graph, entry, producer)
    if entry.optional and entry.inputs:
        yield from _match_input(graph, entry.inputs[0], name)


def _accepts(graph: Graph, kind: str, name: str | None) -> bool:
    if kind not in _KINDS:
        raise ValueError(f"a template's input is a Template or one of {_KINDS}, not {kind!r}")
    if kind == ANY or name is None:
        return kind == ANY
    return graph.tensors[name].is_constant == (kind == CONSTANT)
