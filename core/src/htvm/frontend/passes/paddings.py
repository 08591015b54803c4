"""Moves padding into the convolution or pool after it."""

from __future__ import annotations

from dataclasses import replace

from htvm.frontend.passes.rewrite import edited, told, until_done
from htvm.ir import ops
from htvm.ir.graph import Graph, Node


def merge_pads(graph: Graph) -> Graph:
    """A Pad with the zero point is what convolutions and sum pools do by themselves."""
    return until_done(graph, _first_pad)


def _first_pad(graph: Graph) -> Graph | None:
    for node in graph.nodes:
        writer = graph.producers.get(node.inputs[0])
        if writer is not None and isinstance(writer.op, ops.Pad):
            merged = _merged(writer, writer.op, node)
            if merged is not None:
                return edited(graph, {node.name: merged})
    return None


def _merged(pad: Node, op: ops.Pad, node: Node) -> Node | None:
    window = node.op
    kinds = ops.Conv2d | ops.FloatConv2d | ops.SumPool2d
    if not isinstance(window, kinds) or len(op.before) != 4:
        return None
    if (
        op.value != getattr(window, "input_zero_point", 0)
        or any(op.before[:2])
        or any(op.after[:2])
    ):
        return None
    top, left, bottom, right = window.pad
    total = (
        top + op.before[2],
        left + op.before[3],
        bottom + op.after[2],
        right + op.after[3],
    )
    inputs = (pad.inputs[0], *node.inputs[1:])
    return replace(node, op=replace(window, pad=total), inputs=inputs, source=told(pad, node))
