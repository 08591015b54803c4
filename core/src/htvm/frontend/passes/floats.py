"""Lets layers that compute in float32 read the bytes their floats are made of."""

from __future__ import annotations

from dataclasses import replace

from htvm.frontend.passes.rewrite import edited, only_reader, told, until_done
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node


def read_bytes(graph: Graph) -> Graph:
    """Dequantisation before a float product becomes part of it; others may still read the floats.

    A float copy of a tensor takes four times its memory, far more than dequantising what is read
    several times takes in time.
    """
    return until_done(until_done(graph, _first_view), _first_product)


def _first_view(graph: Graph) -> Graph | None:
    """Dequantise behind a view rather than before it: there are fewer bytes to move."""
    for node in graph.nodes:
        writer = graph.producers.get(node.inputs[0])
        is_view = isinstance(node.op, ops.Reshape | ops.Transpose)
        if writer is None or not is_view or not _of_bytes(graph, writer):
            continue
        if only_reader(graph, writer.output) is node:
            return _swapped(graph, writer, node)
    return None


def _swapped(graph: Graph, writer: Node, node: Node) -> Graph:
    source = graph.tensors[writer.inputs[0]]
    shape = graph.tensors[node.output].shape
    moved = replace(source, name=f"{writer.output}_bytes", shape=shape)
    nodes = {
        writer.name: replace(node, inputs=writer.inputs, output=moved.name),
        node.name: replace(writer, inputs=(moved.name,), output=node.output),
    }
    return edited(graph, nodes, {moved.name: moved})


def _of_bytes(graph: Graph, node: Node) -> bool:
    """Whether a node dequantises bytes on one scale."""
    kinds = {DType.INT8, DType.UINT8}
    return (
        isinstance(node.op, ops.Dequantize)
        and node.op.scale.size == 1
        and graph.tensors[node.inputs[0]].dtype in kinds
    )


def _first_product(graph: Graph) -> Graph | None:
    for node in graph.nodes:
        writer = graph.producers.get(node.inputs[0])
        if writer is not None and isinstance(writer.op, ops.Dequantize):
            merged = _merged(graph, writer, writer.op, node)
            if merged is not None:
                return edited(graph, {node.name: merged})
    return None


def _merged(graph: Graph, writer: Node, op: ops.Dequantize, node: Node) -> Node | None:
    if not isinstance(node.op, ops.FloatConv2d | ops.FloatDense):
        return None
    if not _of_bytes(graph, writer):
        return None
    product = replace(node.op, input_scale=float(op.scale.flat[0]), input_zero_point=op.zero_point)
    inputs = (writer.inputs[0], *node.inputs[1:])
    return replace(node, op=product, inputs=inputs, source=told(writer, node))
