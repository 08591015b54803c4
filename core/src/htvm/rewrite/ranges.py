"""What integer tensors can hold: intervals of activations, and of accumulators by channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from htvm.ir import ops, requant
from htvm.ir.graph import Graph, Node
from htvm.ir.ops import Op
from htvm.ir.tensor import Array, Tensor
from htvm.target.contract import Range

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """Integers that an accumulator can hold, by channel: ``least + step * n`` up to ``most``.

    Attributes:
        least: ``(K,)``.
        most: ``(K,)``.
        step: ``(K,)``, at least 1; what the accumulator's terms all are multiples of.
    """

    least: Ints
    most: Ints
    step: Ints

    @property
    def overflow(self) -> str:
        """The first channel that can leave 32 bits, with what it reaches; empty if none can."""
        bad = np.flatnonzero((self.least < -(2**31)) | (self.most >= 2**31))
        if not bad.size:
            return ""
        at = int(bad[0])
        return f"channel {at} reaches {int(self.least[at])}..{int(self.most[at])}"


def weighted_sum(matrix: Ints, start: Ints, inputs: Range) -> Reach:
    """What ``start + matrix x`` reaches for ``x`` in a range, padding adding 0.

    Args:
        matrix: ``(K, n)``.
        start: ``(K,)``.
        inputs: Least and greatest input, zero point taken off.
    """
    low, high = min(inputs[0], 0), max(inputs[1], 0)
    least = np.minimum(matrix * low, matrix * high).sum(axis=1) + start
    most = np.maximum(matrix * low, matrix * high).sum(axis=1) + start
    step = np.gcd.reduce(matrix, axis=1) if matrix.shape[1] else np.zeros(len(matrix), np.int64)
    return Reach(least=least, most=most, step=np.maximum(step, 1))


def product_reach(graph: Graph, node: Node) -> Reach | None:
    """What the accumulator of a convolution or dense layer of constant weights reaches.

    Where that overflows, the accumulator wraps and can hold anything.
    """
    op = node.op
    operand, weights, *rest = (graph.tensors[name] for name in node.inputs)
    if not isinstance(op, ops.Conv2d | ops.Dense) or weights.value is None:
        return None
    if any(tensor.value is None for tensor in rest):
        return None
    matrix = weights.value.astype(np.int64) - op.weight_zero_point
    matrix = matrix.reshape(len(matrix), -1)
    bias = rest[0].value if rest else None
    start = np.zeros(len(matrix), np.int64) if bias is None else bias.astype(np.int64)
    lo, hi = operand.span
    return weighted_sum(matrix, start, (lo - op.input_zero_point, hi - op.input_zero_point))


def with_bounds(graph: Graph) -> Graph:
    """The graph with every computed integer tensor's range told, as far as it is known."""
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        tensor = tensors[node.output]
        if not tensor.dtype.is_integer:
            continue
        told = _bounds(replace(graph, tensors=tensors), node)
        if told is not None:
            least, most = tensor.dtype.bounds
            inside = least <= told[0] and told[1] <= most
            tensors[node.output] = replace(tensor, bounds=told if inside else None)
    return replace(graph, tensors=tensors)


def _bounds(graph: Graph, node: Node) -> Range | None:
    operands = [graph.tensors[name] for name in node.inputs]
    if isinstance(node.op, ops.Conv2d | ops.Dense):
        reach = product_reach(graph, node)
        if reach is None or reach.overflow or not reach.least.size:
            return None
        return int(reach.least.min()), int(reach.most.max())
    if not all(tensor.dtype.is_integer for tensor in operands):
        return (node.op.lo, node.op.hi) if isinstance(node.op, ops.Quantize) else None
    for kinds, rule in _RULES.items():
        if isinstance(node.op, kinds):
            return rule(node.op, [_span(tensor) for tensor in operands], operands)
    return None


def _span(tensor: Tensor) -> Range:
    if tensor.value is None or not tensor.value.size:
        return tensor.span
    return int(tensor.value.min()), int(tensor.value.max())


def _same(op: Op, spans: Sequence[Range], operands: Sequence[Tensor]) -> Range:
    del op, operands
    return min(lo for lo, _ in spans), max(hi for _, hi in spans)


def _pad(op: Any, spans: Sequence[Range], operands: Sequence[Tensor]) -> Range:
    return _same(op, [*spans, (op.value, op.value)], operands)


def _clip(op: Any, spans: Sequence[Range], operands: Sequence[Tensor]) -> Range:
    del operands
    lo, hi = np.clip(spans[0], np.ceil(op.lo), np.floor(op.hi)).astype(np.int64)
    return int(lo), int(hi)


def _requant(op: Any, spans: Sequence[Range], operands: Sequence[Tensor]) -> Range:
    del spans, operands
    return op.lo, op.hi


def _lut(op: Any, spans: Sequence[Range], operands: Sequence[Tensor]) -> Range | None:
    (lo, hi), first = spans[0], operands[0].dtype.bounds[0]
    table: Array = np.asarray(op.table)[lo - first : hi - first + 1]
    if not op.out.is_integer:
        return None
    return int(table.min()), int(table.max())


def _sum(op: Any, spans: Sequence[Range], operands: Sequence[Tensor]) -> Range:
    if isinstance(op, ops.SumPool2d):
        count = prod(op.kernel)
    else:
        count = prod(operands[0].shape[axis] for axis in op.axes)
    lo, hi = (end - op.input_zero_point for end in spans[0])
    padded = isinstance(op, ops.SumPool2d) and any(op.pad)
    return count * (min(lo, 0) if padded else lo), count * (max(hi, 0) if padded else hi)


def _elementwise(op: Any, spans: Sequence[Range], operands: Sequence[Tensor]) -> Range | None:
    del operands
    (a, b), (c, d) = spans
    if op.function == "add":
        return a + c, b + d
    if op.function == "sub":
        return a - d, b - c
    if op.function == "mul":
        ends = (a * c, a * d, b * c, b * d)
        return min(ends), max(ends)
    choose = {"min": min, "max": max}.get(op.function)
    return None if choose is None else (choose(a, c), choose(b, d))


_Rule = Callable[[Any, Sequence[Range], Sequence[Tensor]], Range | None]
_MOVES = (ops.Transpose, ops.Reshape, ops.Slice, ops.Concat, ops.MaxPool2d, ops.Cast)
_RULES: Mapping[tuple[type[Op], ...], _Rule] = {
    _MOVES: _same,
    (ops.Pad,): _pad,
    (ops.Clip,): _clip,
    (requant.Requant, ops.AvgPool2d): _requant,
    (ops.Lut,): _lut,
    (ops.SumPool2d, ops.ReduceSum): _sum,
    (ops.Elementwise,): _elementwise,
}
