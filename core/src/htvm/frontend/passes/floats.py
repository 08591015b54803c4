"""Lets layers that compute in float32 read the bytes their floats are made of."""

from __future__ import annotations

from dataclasses import replace

from htvm.frontend.passes.rewrite import edited, told, until_done
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node


def read_bytes(graph: Graph) -> Graph:
    """Dequantisation before a float product becomes part of it; others may still read the floats.

    A float copy of a tensor takes four times its memory, far more than dequantising what is read
    several times takes in time.
    """
    return until_done(graph, _first_product)


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
    if graph.tensors[writer.inputs[0]].dtype not in {DType.INT8, DType.UINT8}:
        return None
    if op.scale.size > 1:
        return None
    product = replace(node.op, input_scale=float(op.scale.flat[0]), input_zero_point=op.zero_point)
    inputs = (writer.inputs[0], *node.inputs[1:])
    return replace(node, op=product, inputs=inputs, source=told(writer, node))
