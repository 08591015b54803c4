"""Moves requantisations before what only moves elements, next to the accumulator they end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node
from htvm.ir.requant import Requant
from htvm.numerics import apply
from htvm.rewrite.edits import Change, changed, fresh, sole_reader
from htvm.rewrite.staircase import rises

_MOVES = (ops.Transpose, ops.Reshape, ops.Slice, ops.Pad, ops.Concat, ops.MaxPool2d)


def requantise_early(graph: Graph) -> Graph:
    """The graph with wide elements requantised before they are moved, never after.

    Requantising treats every element alone, so that it may trade places with what moves elements;
    with a maximum too, as long as it never falls.
    """
    while (change := _first(graph)) is not None:
        graph = changed(graph, change)
    return graph


def _first(graph: Graph) -> Change | None:
    for node in graph.nodes:
        move = graph.producers.get(node.inputs[0])
        if isinstance(node.op, Requant) and move is not None and isinstance(move.op, _MOVES):
            change = _swapped(graph, move, node)
            if change is not None:
                return change
    return None


def _swapped(graph: Graph, move: Node, node: Node) -> Change | None:
    before, after = graph.tensors[move.inputs[0]], graph.tensors[node.output]
    known = [graph.tensors[name].is_constant for name in move.inputs]
    if sole_reader(graph, move.output) is not node or any(known):
        return None
    op = _before(node.op, move, len(before.shape))
    if op is None or before.dtype.size_bytes <= after.dtype.size_bytes:
        return None
    nodes, tensors, names = [], [], []
    for number, name in enumerate(move.inputs):
        ending = f"_{number}" if number else ""
        narrow = replace(
            graph.tensors[name],
            name=fresh(graph, f"{node.name}_narrow{ending}"),
            dtype=op.out,
            quantization=after.quantization,
        )
        title = node.name if not number else fresh(graph, f"{node.name}{ending}")
        nodes.append(replace(node, name=title, op=op, inputs=(name,), output=narrow.name))
        tensors.append(narrow)
        names.append(narrow.name)
    moved = replace(
        move, op=_moving(move.op, op), inputs=tuple(names), output=node.output, source=node.source
    )
    return Change(
        removed=frozenset({move.name, node.name}),
        nodes=(*nodes, replace(moved, source=move.source)),
        tensors=tuple(tensors),
        main=node.name,
        text=f"requantised before {move.op.kind}",
    )


def _before(op: object, move: Node, rank: int) -> Requant | None:
    """The requantisation of what is moved; None if it cannot be told."""
    assert isinstance(op, Requant)
    if isinstance(move.op, ops.MaxPool2d) and not rises(op):
        return None
    if op.axis is None:
        return op
    kept: Mapping[type[ops.Op], int | None] = {
        ops.Transpose: move.op.perm[op.axis] if isinstance(move.op, ops.Transpose) else None,
        ops.MaxPool2d: op.axis if op.axis < 2 else None,
        ops.Concat: op.axis
        if isinstance(move.op, ops.Concat) and move.op.axis % rank != op.axis
        else None,
    }
    axis = kept.get(type(move.op))
    return None if axis is None else replace(op, axis=axis)


def _moving(op: ops.Op, requant: Requant) -> ops.Op:
    """The same movement of requantised elements."""
    if not isinstance(op, ops.Pad):
        return op
    value = apply(requant, np.array([op.value], DType.INT32.numpy))
    return replace(op, value=int(value[0]))
