"""Running many samples at once through a graph written for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from htvm.ir.graph import Graph, Node
from htvm.ir.ops import (
    Concat,
    Conv2d,
    Dense,
    Dequantize,
    Elementwise,
    FloatConv2d,
    FloatDense,
    MatMul,
    Op,
    Pad,
    QLinearSoftmax,
    Quantize,
    ReduceSum,
    Reshape,
    Slice,
    SoftmaxTable,
    SoftmaxTflite,
    Transpose,
)
from htvm.ir.requant import Requant
from htvm.ir.tensor import Tensor

Operands = Sequence[Tensor]


def can_batch(graph: Graph) -> bool:
    """Whether axis 0 is a batch axis all the way, so that samples can run side by side."""
    computed = [*graph.inputs, *(node.output for node in graph.nodes)]
    if any(graph.tensors[name].shape[:1] != (1,) for name in computed):
        return False
    return all(_keeps_batch_axis(graph, node) for node in graph.nodes)


def batched(op: Op, samples: int) -> Op:
    """``op`` with the attributes that count axis 0 set to ``samples``."""
    if isinstance(op, Reshape):
        return replace(op, shape=(samples, *op.shape[1:]))
    if isinstance(op, Slice):
        return replace(op, stop=(samples, *op.stop[1:]))
    return op


def _keeps_batch_axis(graph: Graph, node: Node) -> bool:
    operands = [graph.tensors[name] for name in node.inputs]
    if all(tensor.is_constant for tensor in operands):
        return False
    rules = [rule for kind, rule in _RULES.items() if isinstance(node.op, kind)]
    return all(rule(node.op, operands) for rule in rules)


def _axis_is_not_batch(op: Any, operands: Operands) -> bool:
    return op.axis is None or op.axis % len(operands[0].shape) != 0


def _parameters_constant(_: Any, operands: Operands) -> bool:
    image, *parameters = operands
    return len(image.shape) > 1 and all(tensor.is_constant for tensor in parameters)


def _broadcast_inside_sample(_: Any, operands: Operands) -> bool:
    ranks = {len(tensor.shape) for tensor in operands if not tensor.is_constant}
    fits = all(
        tensor.shape[:1] == (1,) if {len(tensor.shape)} == ranks else len(tensor.shape) < max(ranks)
        for tensor in operands
        if tensor.is_constant
    )
    return len(ranks) == 1 and fits


def _stacked_matrices(op: Any, operands: Operands) -> bool:
    return len(operands[0].shape) > 2 and _broadcast_inside_sample(op, operands)


def _joined_inside_sample(op: Any, operands: Operands) -> bool:
    return _axis_is_not_batch(op, operands) and not any(t.is_constant for t in operands)


_RULES: Mapping[type[Op], Callable[[Any, Operands], bool]] = {
    Conv2d: _parameters_constant,
    Dense: _parameters_constant,
    FloatConv2d: _parameters_constant,
    FloatDense: _parameters_constant,
    MatMul: _stacked_matrices,
    Elementwise: _broadcast_inside_sample,
    Concat: _joined_inside_sample,
    Transpose: lambda op, _: op.perm[0] == 0,
    Pad: lambda op, _: op.before[0] == op.after[0] == 0,
    ReduceSum: lambda op, x: all(axis % len(x[0].shape) for axis in op.axes),
    Requant: _axis_is_not_batch,
    Quantize: _axis_is_not_batch,
    Dequantize: _axis_is_not_batch,
    SoftmaxTflite: lambda _, x: len(x[0].shape) > 1,
    SoftmaxTable: _axis_is_not_batch,
    QLinearSoftmax: _axis_is_not_batch,
}
