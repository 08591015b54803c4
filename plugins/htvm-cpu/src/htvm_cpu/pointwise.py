"""C of ops that treat every element alone, alone or behind another op of the same layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf

import numpy as np
import numpy.typing as npt

from htvm.api import Array, DType, InternalError, Node, Tensor, ops, requant, row_major
from htvm_cpu.place import Indices, element
from htvm_cpu.requantise import requantise, rounded
from htvm_cpu.snippet import Value, Writer, fits_int32
from htvm_cpu.text import integer, plus, real

UNARY = (
    ops.Cast,
    ops.Clip,
    ops.Lut,
    ops.Quantize,
    ops.Dequantize,
    requant.ShiftRequant,
    requant.Mulshift31Requant,
    requant.TfliteRequant,
    requant.FloatRequant,
)
REQUANTS = UNARY[-4:]

_SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


def is_pointwise(node: Node) -> bool:
    """Whether the node computes each element from the elements at the same index."""
    return isinstance(node.op, (*UNARY, ops.Elementwise))


def evaluate(
    nodes: Sequence[Node],
    tensors: Mapping[str, Tensor],
    known: Mapping[str, Value],
    indices: Indices,
    writer: Writer,
) -> Value:
    """Statements that compute one element of the last node's output.

    Args:
        nodes: Pointwise nodes in execution order.
        tensors: Every tensor they touch.
        known: The elements already at hand, by tensor name.
        indices: C expression of the element's index on each axis of the output.
        writer: Takes the statements.
    """
    values = dict(known)
    result = next(reversed(values.values()))
    for node in nodes:
        operands = [
            values[name] if name in values else _constant(tensors[name], indices, writer)
            for name in node.inputs
        ]
        along = _along(node, tensors[node.output], indices)
        result = _apply(node, operands, along, tensors, writer)
        values[node.output] = result
    return result


def _along(node: Node, output: Tensor, indices: Indices) -> str:
    axis: int | None = getattr(node.op, "axis", None)
    if axis is None:
        return "0"
    return indices[len(indices) - len(output.shape) + axis]


def _constant(tensor: Tensor, indices: Indices, writer: Writer) -> Value:
    """An element of a constant operand, broadcast to ``indices``."""
    if tensor.value is None:
        raise InternalError(f"tensor {tensor.name} is not at hand")
    lo, hi = float(tensor.value.min()), float(tensor.value.max())
    is_float = tensor.dtype is DType.FLOAT32
    if np.all(tensor.value == tensor.value.flat[0]):
        text = real(lo) if is_float else integer(int(lo))
    else:
        name = writer.array("operand", tensor.dtype, tensor.value.reshape(-1))
        own = indices[len(indices) - len(tensor.shape) :]
        text = f"{name}[{element(row_major(tensor.shape), own)}]"
    return Value(text=f"({text})", is_float=is_float, lo=lo, hi=hi)


def _apply(
    node: Node,
    operands: Sequence[Value],
    channel: str,
    tensors: Mapping[str, Tensor],
    writer: Writer,
) -> Value:
    op, value = node.op, operands[0]
    match op:
        case requant.Requant():
            result = requantise(op, value, channel, writer)
        case ops.Elementwise():
            result = _elementwise(op, operands[0], operands[1], writer)
        case ops.Clip():
            result = _clip(op, value, writer)
        case ops.Cast():
            result = _cast(op, value, writer)
        case ops.Lut():
            result = _lut(op, value, tensors[node.inputs[0]].dtype, writer)
        case ops.Quantize():
            result = _quantize(op, value, channel, writer)
        case ops.Dequantize():
            scale = _scale(op.scale, channel, writer)
            text = f"(float)({plus(value.text, -op.zero_point)}) * {scale}"
            result = _real(text, writer)
        case _:
            raise InternalError(f"no C for element-wise op {type(op).__name__}")
    return result


def _quantize(op: ops.Quantize, value: Value, channel: str, writer: Writer) -> Value:
    scale = _scale(op.scale, channel, writer)
    text = rounded(f"{value.text} / {scale}", op.zero_point, op.lo, op.hi, writer, ties=op.rounding)
    return Value(text=writer.let(text), lo=op.lo, hi=op.hi)


def _real(text: str, writer: Writer) -> Value:
    return Value(text=writer.let(text, is_float=True), is_float=True, lo=-inf, hi=inf)


def _scale(scale: npt.NDArray[np.float32], channel: str, writer: Writer) -> str:
    first = float(scale.flat[0])
    if np.all(scale == first):
        return real(first)
    return writer.per_channel("scale", DType.FLOAT32, scale, channel)


def _clip(op: ops.Clip, value: Value, writer: Writer) -> Value:
    literal: Callable[[float], str] = real if value.is_float else lambda bound: integer(int(bound))
    low = literal(op.lo)
    raised = writer.let(f"{value.text} > {low} ? {value.text} : {low}", is_float=value.is_float)
    high = literal(op.hi)
    name = writer.let(f"{raised} < {high} ? {raised} : {high}", is_float=value.is_float)
    return replace(value, text=name, lo=max(value.lo, op.lo), hi=min(value.hi, op.hi))


def _cast(op: ops.Cast, value: Value, writer: Writer) -> Value:
    if op.out is DType.FLOAT32 and not value.is_float:
        return _real(f"(float){value.text}", writer)
    return value


def _lut(op: ops.Lut, value: Value, dtype: DType, writer: Writer) -> Value:
    table: Array = op.table
    name = writer.array("table", op.out, table)
    text = f"{name}[{plus(value.text, -dtype.bounds[0])}]"
    is_float = op.out is DType.FLOAT32
    lo, hi = float(table.min()), float(table.max())
    return Value(text=writer.let(text, is_float=is_float), is_float=is_float, lo=lo, hi=hi)


def _elementwise(op: ops.Elementwise, a: Value, b: Value, writer: Writer) -> Value:
    if op.function in ("min", "max"):
        order = "<" if op.function == "min" else ">"
        text = f"{a.text} {order} {b.text} ? {a.text} : {b.text}"
    else:
        text = f"{a.text} {_SYMBOLS[op.function]} {b.text}"
    if a.is_float:
        return _real(text, writer)
    lo, hi = _interval(op, a.interval, b.interval)
    if fits_int32(lo, hi):
        return Value(text=writer.let(text), lo=lo, hi=hi)
    text = f"(int32_t)((uint32_t){a.text} {_SYMBOLS[op.function]} (uint32_t){b.text})"
    return Value(text=writer.let(text))


def _interval(op: ops.Elementwise, a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    match op.function:
        case "add":
            return a[0] + b[0], a[1] + b[1]
        case "sub":
            return a[0] - b[1], a[1] - b[0]
        case "mul":
            products = [left * right for left in a for right in b]
            return min(products), max(products)
        case "min":
            return min(a[0], b[0]), min(a[1], b[1])
    return max(a[0], b[0]), max(a[1], b[1])
