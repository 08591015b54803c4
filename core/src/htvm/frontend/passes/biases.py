"""Moves sums with a constant into the float layer before them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from htvm.frontend.passes.rewrite import edited, only_reader, told, until_done
from htvm.ir import ops
from htvm.ir.graph import Graph, Node
from htvm.ir.tensor import Array, constant


def merge_biases(graph: Graph) -> Graph:
    """A constant added behind a float product becomes its bias: the op adds that last as well."""
    return until_done(graph, _first_sum)


def _first_sum(graph: Graph) -> Graph | None:
    for node in graph.nodes:
        if isinstance(node.op, ops.FloatConv2d | ops.FloatDense) and len(node.inputs) == 2:
            reader = only_reader(graph, node.output)
            bias = None if reader is None else _bias(graph, node, reader)
            if reader is not None and bias is not None:
                return _merged(graph, node, reader, *bias)
    return None


def _bias(graph: Graph, node: Node, reader: Node) -> tuple[str, Array] | None:
    """Name and elements of what the reader adds, if it is one number for each channel."""
    if not isinstance(reader.op, ops.Elementwise) or reader.op.function != "add":
        return None
    name = next(name for name in reader.inputs if name != node.output)
    value, shape = graph.tensors[name].value, graph.tensors[node.output].shape
    axis = 1 if isinstance(node.op, ops.FloatConv2d) else len(shape) - 1
    if value is None or value.ndim > len(shape):
        return None
    padded = value.reshape((1,) * (len(shape) - value.ndim) + value.shape)
    if any(extent > 1 for at, extent in enumerate(padded.shape) if at != axis):
        return None
    return name, np.broadcast_to(padded.reshape(-1), (shape[axis],))


def _merged(graph: Graph, node: Node, reader: Node, name: str, bias: Array) -> Graph:
    tensor = graph.tensors[name]
    added = {}
    if tensor.shape != bias.shape:
        wanted = f"{name}_{node.name}_bias"
        added[wanted] = constant(wanted, bias, tensor.dtype)
        name = wanted
    merged = replace(
        node,
        inputs=(*node.inputs, name),
        output=reader.output,
        source=told(node, reader),
    )
    return edited(graph, {node.name: merged, reader.name: None}, added)
