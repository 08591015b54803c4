"""Merges transposes and reshapes with those before them."""

from __future__ import annotations

from dataclasses import replace

from htvm.frontend.passes.rewrite import edited, only_reader, told, until_done
from htvm.ir import ops
from htvm.ir.graph import Graph, Node
from htvm.ir.requant import Requant


def merge_views(graph: Graph) -> Graph:
    """Transposes of transposes and reshapes of reshapes become one; empty axes move freely."""
    return until_done(graph, _first_change)


def _first_change(graph: Graph) -> Graph | None:
    for node in graph.nodes:
        changed = None
        if isinstance(node.op, ops.Transpose):
            changed = _as_reshape(graph, node) or _merge_transposes(graph, node)
        elif isinstance(node.op, ops.Reshape):
            changed = _merge_reshapes(graph, node)
        if changed is not None:
            return changed
    return None


def _as_reshape(graph: Graph, node: Node) -> Graph | None:
    """A transpose that only moves axes of extent 1 moves no element."""
    if not isinstance(node.op, ops.Transpose):
        return None
    shape = graph.tensors[node.inputs[0]].shape
    moved = [axis for axis in node.op.perm if shape[axis] > 1]
    if moved != sorted(moved):
        return None
    reshape = ops.Reshape(shape=graph.tensors[node.output].shape)
    return edited(graph, {node.name: replace(node, op=reshape)})


def _merge_reshapes(graph: Graph, node: Node) -> Graph | None:
    writer = graph.producers.get(node.inputs[0])
    if writer is None or not isinstance(writer.op, ops.Reshape):
        return None
    inner = writer.inputs
    return edited(graph, {node.name: replace(node, inputs=inner, source=told(writer, node))})


def _merge_transposes(graph: Graph, node: Node) -> Graph | None:
    """Merge with an earlier transpose, across ops that treat every element alike."""
    chain: list[Node] = []
    writer = graph.producers.get(node.inputs[0])
    while writer is not None and _is_pointwise(writer) and only_reader(graph, writer.output):
        chain.append(writer)
        writer = graph.producers.get(writer.inputs[0])
    if writer is None or not isinstance(writer.op, ops.Transpose):
        return None
    if not isinstance(node.op, ops.Transpose) or (
        chain and only_reader(graph, writer.output) is None
    ):
        return None
    perm = tuple(writer.op.perm[axis] for axis in node.op.perm)
    merged = replace(node, op=ops.Transpose(perm=perm), source=told(writer, node))
    if not chain:
        return edited(graph, {node.name: replace(merged, inputs=writer.inputs)})
    shape = graph.tensors[writer.inputs[0]].shape
    tensors = {
        step.output: replace(graph.tensors[step.output], shape=shape, quantization=None)
        if _has_axis(graph, step)
        else replace(graph.tensors[step.output], shape=shape)
        for step in chain
    }
    first = replace(chain[-1], inputs=writer.inputs)
    nodes: dict[str, Node | None] = {writer.name: None, first.name: first, node.name: merged}
    return edited(graph, nodes, tensors)


def _has_axis(graph: Graph, node: Node) -> bool:
    meaning = graph.tensors[node.output].quantization
    return meaning is not None and meaning.axis is not None


def _is_pointwise(node: Node) -> bool:
    op = node.op
    if isinstance(op, Requant | ops.Quantize | ops.Dequantize):
        return op.axis is None
    return isinstance(op, ops.Lut | ops.Clip | ops.Cast)
