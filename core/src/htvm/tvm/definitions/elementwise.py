"""Ops that treat every element alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from htvm.ir.dtype import DType
from htvm.ir.graph import Node
from htvm.ir.ops import Cast, Clip, Dequantize, Elementwise, Lut, Quantize
from htvm.tvm.definitions.builder import Builder, Index, element
from htvm.tvm.definitions.values import (
    Expr,
    away_from_zero,
    cast,
    const,
    dtype_of,
    minus,
    modular,
    offset_to,
    to_even,
)
from htvm.tvm.load import te, tirx


def elementwise(builder: Builder, node: Node, op: Elementwise) -> Any:
    """Define :class:`~htvm.ir.ops.Elementwise`."""
    a, b = builder.operands(node)
    integers = builder.output(node).dtype is not DType.FLOAT32

    def combined(*index: Expr) -> Expr:
        x, y = _broadcast(a, index), _broadcast(b, index)
        if op.function in ("min", "max"):
            return (tirx.min if op.function == "min" else tirx.max)(x, y)
        return modular(op.function, x, y) if integers else _float(op.function, x, y)

    return te.compute(builder.output(node).shape, combined, op.function)


def clip(builder: Builder, node: Node, op: Clip) -> Any:
    """Define :class:`~htvm.ir.ops.Clip`."""
    (source,) = builder.operands(node)
    dtype = builder.output(node).dtype

    def limited(*index: Expr) -> Expr:
        value = source[index]
        if _limits(op.lo, dtype):
            value = tirx.max(value, const(op.lo, str(source.dtype)))
        if _limits(op.hi, dtype):
            value = tirx.min(value, const(op.hi, str(source.dtype)))
        return value

    return te.compute(source.shape, limited, "clipped")


def convert(builder: Builder, node: Node, op: Cast) -> Any:
    """Define :class:`~htvm.ir.ops.Cast`."""
    (source,) = builder.operands(node)

    def converted(*index: Expr) -> Expr:
        if op.out is DType.BOOL:
            return cast(source[index] != const(0, str(source.dtype)), "uint8")
        return cast(source[index], element(op.out))

    return te.compute(source.shape, converted, "converted")


def lut(builder: Builder, node: Node, op: Lut) -> Any:
    """Define :class:`~htvm.ir.ops.Lut`."""
    (source,) = builder.operands(node)
    table = builder.table(op.table.astype(op.out.numpy), "table")
    least = int(np.iinfo(str(source.dtype)).min)
    return te.compute(source.shape, lambda *i: table[minus(source[i], least)], "looked_up")


def quantize(builder: Builder, node: Node, op: Quantize) -> Any:
    """Define :class:`~htvm.ir.ops.Quantize`."""
    (source,) = builder.operands(node)
    scale = builder.parameter(op.scale, op.axis, "float32", "scale")

    rounding = to_even if op.rounding == "even" else away_from_zero

    def quantized(*index: Expr) -> Expr:
        whole = rounding(source[index] / scale(index))
        return offset_to(whole, op.zero_point, op.lo, op.hi, op.out)

    return te.compute(source.shape, quantized, "quantized")


def dequantize(builder: Builder, node: Node, op: Dequantize) -> Any:
    """Define :class:`~htvm.ir.ops.Dequantize`."""
    (source,) = builder.operands(node)
    scale = builder.parameter(op.scale, op.axis, "float32", "scale")

    def real(*index: Expr) -> Expr:
        return cast(_less_zero_point(source[index], op.zero_point), "float32") * scale(index)

    return te.compute(source.shape, real, "real")


def _less_zero_point(value: Expr, zero_point: int) -> Expr:
    if dtype_of(value) in ("int32", "int64"):
        return cast(value, "int64") - const(zero_point, "int64")
    return minus(value, zero_point)


def _broadcast(source: Any, index: Index) -> Expr:
    kept = index[len(index) - len(source.shape) :]
    extents = (int(extent) for extent in source.shape)
    return source[tuple(0 if extent == 1 else i for i, extent in zip(kept, extents, strict=True))]


def _float(function: str, x: Expr, y: Expr) -> Expr:
    if function == "div":
        return x / y
    return {"add": x + y, "sub": x - y, "mul": x * y}[function]


def _limits(bound: float, dtype: DType) -> bool:
    """Whether a bound can change a value of a type."""
    if dtype is DType.FLOAT32:
        return bool(np.isfinite(bound))
    least, greatest = dtype.bounds
    return least < bound < greatest
