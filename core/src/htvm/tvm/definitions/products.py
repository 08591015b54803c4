"""Convolution, dense and matrix products: sums of products, modulo 2**32 or in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from htvm.ir.graph import Node
from htvm.ir.ops import Conv2d, Dense, FloatConv2d, FloatDense, MatMul
from htvm.tvm.definitions.builder import Builder
from htvm.tvm.definitions.shaping import padded
from htvm.tvm.definitions.values import (
    Expr,
    cast,
    const,
    dtype_of,
    minus,
    modular,
    signed,
    unsigned,
)
from htvm.tvm.load import te

Multiply = Callable[[Expr, Expr], Expr]


def conv2d(builder: Builder, node: Node, op: Conv2d) -> Any:
    """Define :class:`~htvm.ir.ops.Conv2d`."""
    bias = builder.operands(node)[2:]
    sums = _windows(
        builder,
        node,
        op,
        op.input_zero_point,
        lambda x, w: _product(minus(x, op.input_zero_point), minus(w, op.weight_zero_point)),
    )
    return _plus_bias(sums, bias, 1)


def float_conv2d(builder: Builder, node: Node, op: FloatConv2d) -> Any:
    """Define :class:`~htvm.ir.ops.FloatConv2d`."""
    bias = builder.operands(node)[2:]
    sums = _windows(builder, node, op, op.input_zero_point, lambda x, w: _real(op, x) * w)
    return _plus_float(sums, bias, 1)


def _windows(
    builder: Builder, node: Node, op: Conv2d | FloatConv2d, nothing: int, multiply: Multiply
) -> Any:
    """Sums over windows: channels, rows, columns, in this order."""
    image, weight = builder.operands(node)[:2]
    filters, depth, height, width = (int(extent) for extent in weight.shape)
    top, left, bottom, right = op.pad
    source = padded(image, (0, 0, top, left), (0, 0, bottom, right), nothing)
    per_group = filters // op.groups
    c, ky, kx = _axes(c=depth, ky=height, kx=width)

    def product(n: Expr, k: Expr, y: Expr, x: Expr) -> Expr:
        row = y * op.stride[0] + ky * op.dilation[0]
        column = x * op.stride[1] + kx * op.dilation[1]
        channel = c if op.groups == 1 else (k // per_group) * depth + c
        return multiply(source[n, channel, row, column], weight[k, c, ky, kx])

    shape = builder.output(node).shape
    return te.compute(
        shape, lambda n, k, y, x: te.sum(product(n, k, y, x), axis=[c, ky, kx]), "sums"
    )


def dense(builder: Builder, node: Node, op: Dense) -> Any:
    """Define :class:`~htvm.ir.ops.Dense`."""
    bias = builder.operands(node)[2:]
    sums = _rows(
        builder,
        node,
        lambda x, w: _product(minus(x, op.input_zero_point), minus(w, op.weight_zero_point)),
    )
    return _plus_bias(sums, bias, len(sums.shape) - 1)


def float_dense(builder: Builder, node: Node, op: FloatDense) -> Any:
    """Define :class:`~htvm.ir.ops.FloatDense`."""
    bias = builder.operands(node)[2:]
    sums = _rows(builder, node, lambda x, w: _real(op, x) * w)
    return _plus_float(sums, bias, len(sums.shape) - 1)


def _rows(builder: Builder, node: Node, multiply: Multiply) -> Any:
    """Sums over rows of weights."""
    source, weight = builder.operands(node)[:2]
    (c,) = _axes(c=int(weight.shape[1]))

    def product(index: Sequence[Expr]) -> Expr:
        return multiply(source[(*index[:-1], c)], weight[index[-1], c])

    shape = builder.output(node).shape
    return te.compute(shape, lambda *i: te.sum(product(i), axis=[c]), "sums")


def matmul(builder: Builder, node: Node, op: MatMul) -> Any:
    """Define :class:`~htvm.ir.ops.MatMul`, with numpy's rules for batches and vectors."""
    a, b = builder.operands(node)
    (c,) = _axes(c=int(a.shape[-1]))
    shape = builder.output(node).shape
    vector_a, vector_b = len(a.shape) == 1, len(b.shape) == 1
    batch_rank = len(shape) - (not vector_a) - (not vector_b)

    def product(index: Sequence[Expr]) -> Expr:
        batch, rest = index[:batch_rank], index[batch_rank:]
        at_a = (c,) if vector_a else (*_broadcast(batch, a.shape[:-2]), rest[0], c)
        at_b = (c,) if vector_b else (*_broadcast(batch, b.shape[:-2]), c, rest[-1])
        return _product(minus(a[at_a], op.a_zero_point), minus(b[at_b], op.b_zero_point))

    sums = te.compute(shape, lambda *i: te.sum(product(i), axis=[c]), "sums")
    return _plus_bias(sums, [], 0)


def _axes(**extents: int) -> tuple[Any, ...]:
    return tuple(te.reduce_axis((0, extent), name) for name, extent in extents.items())


def _product(a: Expr, b: Expr) -> Expr:
    """Both within 9 bits, so only their sum can leave int32."""
    return unsigned(a * b)


def _plus_bias(sums: Any, bias: Sequence[Any], axis: int) -> Any:
    def total(*index: Expr) -> Expr:
        value = signed(sums[index])
        return modular("add", value, bias[0][index[axis]]) if bias else value

    return te.compute(sums.shape, total, "acc")


def _real(op: FloatConv2d | FloatDense, value: Expr) -> Expr:
    """The float a byte stands for."""
    if dtype_of(value) == "float32":
        return value
    offset = cast(minus(value, op.input_zero_point), "float32")
    return offset * const(op.input_scale, "float32")


def _plus_float(sums: Any, bias: Sequence[Any], axis: int) -> Any:
    def total(*index: Expr) -> Expr:
        return sums[index] + bias[0][index[axis]] if bias else sums[index]

    return te.compute(sums.shape, total, "acc")


def _broadcast(index: Sequence[Expr], extents: Sequence[Any]) -> tuple[Expr, ...]:
    kept = index[len(index) - len(extents) :]
    return tuple(
        0 if int(extent) == 1 else part for part, extent in zip(kept, extents, strict=True)
    )
