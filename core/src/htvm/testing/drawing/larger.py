"""Makes a larger layer of a drawn one, to see that a cost model charges for it."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from htvm.ir import ops
from htvm.ir.graph import Graph, Node
from htvm.ir.ops import Op
from htvm.ir.requant import Requant
from htvm.ir.tensor import Tensor, constant

_POINTWISE = (ops.Elementwise, ops.Cast, ops.Clip, Requant)


def larger(graph: Graph) -> Graph | None:
    """The layer with twice the outputs or, where it has no weights, twice the rows.

    None for layers that neither applies to.
    """
    first = next((node for node in graph.nodes if _has_weights(graph, node)), None)
    if first is not None:
        return _more_outputs(graph, first)
    return _more_rows(graph) if all(isinstance(n.op, _POINTWISE) for n in graph.nodes) else None


def _has_weights(graph: Graph, node: Node) -> bool:
    kinds = isinstance(node.op, ops.Conv2d | ops.Dense)
    return kinds and graph.tensors[node.inputs[1]].is_constant


def _more_outputs(graph: Graph, product: Node) -> Graph | None:
    if isinstance(product.op, ops.Conv2d) and product.op.groups != 1:
        return None
    behind = graph.nodes[graph.nodes.index(product) + 1 :]
    if not all(isinstance(node.op, Requant) for node in behind):
        return None
    tensors = dict(graph.tensors)
    for name in product.inputs[1:]:
        value = tensors[name].value
        if value is not None:
            tensors[name] = constant(name, np.concatenate([value, value]), tensors[name].dtype)
    axis = 1 if isinstance(product.op, ops.Conv2d) else -1
    for node in (product, *behind):
        tensors[node.output] = _doubled(tensors[node.output], axis)
    nodes = tuple(replace(n, op=_wider(n.op)) if n in behind else n for n in graph.nodes)
    return replace(graph, nodes=nodes, tensors=tensors)


def _doubled(tensor: Tensor, axis: int) -> Tensor:
    shape = list(tensor.shape)
    shape[axis] *= 2
    return replace(tensor, shape=tuple(shape))


def _wider(op: Op) -> Op:
    """A requantisation with its per-channel parameters twice."""
    changed = {
        item.name: np.concatenate([value, value])
        for item in fields(op)
        if isinstance(value := getattr(op, item.name), np.ndarray) and value.size > 1
    }
    return replace(op, **changed)


def _more_rows(graph: Graph) -> Graph | None:
    tensors = {}
    for name, tensor in graph.tensors.items():
        tall = len(tensor.shape) == 4 and tensor.shape[2] > 1
        if tensor.is_constant and tall:
            return None
        if not tensor.is_constant and len(tensor.shape) != 4:
            return None
        alone = tensor.is_constant or (name in graph.inputs and not tall and _has_tall(graph))
        tensors[name] = tensor if alone else _doubled(tensor, 2)
    return replace(graph, tensors=tensors)


def _has_tall(graph: Graph) -> bool:
    """Whether any tensor has rows, so that inputs without are broadcast."""
    return any(len(t.shape) == 4 and t.shape[2] > 1 for t in graph.tensors.values())
