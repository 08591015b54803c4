"""Moves clips into the requantisation before them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from htvm.frontend.passes.rewrite import edited, only_reader, told, until_done
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node
from htvm.ir.requant import Requant


def merge_clamps(graph: Graph) -> Graph:
    """A clip, or a table that only clips, becomes bounds of the requantisation before it."""
    return until_done(graph, _first_clamp)


def _first_clamp(graph: Graph) -> Graph | None:
    for node in graph.nodes:
        writer = graph.producers.get(node.inputs[0])
        if writer is not None and only_reader(graph, writer.output) is node:
            bounds = _bounds(node, writer, graph.tensors[node.output].dtype)
            if bounds is not None:
                return _merged(graph, writer, node, *bounds)
    return None


def _merged(graph: Graph, writer: Node, node: Node, lo: int, hi: int) -> Graph | None:
    if not isinstance(writer.op, Requant | ops.Quantize):
        return None
    op = replace(writer.op, lo=lo, hi=hi)
    clipped = replace(writer, op=op, output=node.output, source=told(writer, node))
    return edited(graph, {writer.name: clipped, node.name: None})


def _bounds(node: Node, writer: Node, out: DType) -> tuple[int, int] | None:
    """Bounds of the requantisation and the clip together, if the node is a clip."""
    op = writer.op
    if not isinstance(op, Requant | ops.Quantize) or op.out != out:
        return None
    if isinstance(node.op, ops.Clip):
        lo, hi = np.clip([op.lo, op.hi], np.ceil(node.op.lo), np.floor(node.op.hi))
        return int(lo), int(hi)
    if not isinstance(node.op, ops.Lut) or out not in {DType.INT8, DType.UINT8}:
        return None
    codes = np.arange(op.lo, op.hi + 1)
    images = np.asarray(node.op.table).astype(np.int64)[codes - out.bounds[0]]
    least, most = int(images.min()), int(images.max())
    return (least, most) if np.array_equal(images, np.clip(codes, least, most)) else None
