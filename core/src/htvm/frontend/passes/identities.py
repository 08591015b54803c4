"""Drops nodes that return what they are given."""

from __future__ import annotations

from math import inf

import numpy as np

from htvm.frontend.passes.rewrite import until_done, without
from htvm.ir import ops
from htvm.ir.graph import Graph, Node


def drop_identities(graph: Graph) -> Graph:
    """The graph without nodes that change nothing."""
    return until_done(graph, _drop_first)


def _drop_first(graph: Graph) -> Graph | None:
    found = (without(graph, node) for node in graph.nodes if is_identity(graph, node))
    return next((smaller for smaller in found if smaller is not None), None)


def is_identity(graph: Graph, node: Node) -> bool:
    """Whether a node's output always equals its first input."""
    before, after = graph.tensors[node.inputs[0]], graph.tensors[node.output]
    if before.shape != after.shape or before.dtype != after.dtype or before.is_constant:
        return False
    least, most = before.dtype.bounds if before.dtype.is_integer else (-inf, inf)
    match node.op:
        case ops.Transpose(perm=perm):
            return perm == tuple(range(len(perm)))
        case ops.Lut(table=table):
            return np.array_equal(table, np.arange(least, most + 1))
        case ops.Clip(lo=lo, hi=hi):
            return lo <= least and hi >= most
        case _:
            # None of these can keep shape and type and still change an element.
            harmless = isinstance(node.op, ops.Reshape | ops.Cast | ops.Slice | ops.Pad)
            return harmless or (isinstance(node.op, ops.Concat) and len(node.inputs) == 1)
