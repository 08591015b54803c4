"""The three softmax definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from htvm.ir.graph import Node
from htvm.ir.ops import QLinearSoftmax, SoftmaxTable, SoftmaxTflite
from htvm.tvm.definitions.builder import Builder, Index
from htvm.tvm.definitions.values import (
    Expr,
    cast,
    clip_to,
    const,
    extern,
    offset_to,
    to_even,
    unsigned,
)
from htvm.tvm.helpers import (
    EXP_Q5,
    HIGH_MULTIPLY,
    LEADING_ZEROS,
    RECIPROCAL,
    ROUNDING_SHIFT,
    SCALE_Q31,
)
from htvm.tvm.load import te, tirx

_SUM_INTEGER_BITS = 12


def softmax_tflite(builder: Builder, node: Node, op: SoftmaxTflite) -> Any:
    """Define :class:`~htvm.ir.ops.SoftmaxTflite`."""
    (source,) = builder.operands(node)
    out = builder.output(node)
    axis = len(source.shape) - 1
    greatest = _along(source, axis, te.max, lambda value: cast(value, "int32"), "greatest")
    mul, exponent = const(op.mul, "int32"), const(op.left_shift, "int32")

    def exponential(*index: Expr) -> Expr:
        below = cast(source[index], "int32") - greatest[index[:-1]]
        scaled = extern("int32", SCALE_Q31, below, mul, exponent)
        # Dropped elements count as exp = 0, which ends in the same -128 as leaving them out.
        return tirx.if_then_else(
            below >= const(op.diff_min, "int32"), extern("int32", EXP_Q5, scaled), const(0, "int32")
        )

    exps = te.compute(source.shape, exponential, "kept_exps")
    total = _along(exps, axis, te.sum, _to_sum, "total")
    row = tuple(source.shape[:-1])
    zeros = te.compute(row, lambda *i: extern("int32", LEADING_ZEROS, total[i]), "kept_zeros")
    inverse = te.compute(
        row,
        lambda *i: extern("int32", RECIPROCAL, total[i] << unsigned(zeros[i])),
        "kept_inverse",
    )

    def probability(*index: Expr) -> Expr:
        product = extern("int32", HIGH_MULTIPLY, exps[index], inverse[index[:-1]])
        places = const(_SUM_INTEGER_BITS + 31 - 8, "int32") - zeros[index[:-1]]
        # Rows so long that the sum needs more bits leave shares below one half.
        share = tirx.if_then_else(
            places > const(31, "int32"),
            const(0, "int32"),
            extern("int32", ROUNDING_SHIFT, product, places),
        )
        return clip_to(share - const(128, "int32"), -128, 127, out.dtype)

    return te.compute(source.shape, probability, "probability")


def softmax_table(builder: Builder, node: Node, op: SoftmaxTable) -> Any:
    """Define :class:`~htvm.ir.ops.SoftmaxTable`."""
    (source,) = builder.operands(node)
    axis = op.axis % len(source.shape)
    exps, total = _table_exps(builder, source, axis, op.table)
    return te.compute(source.shape, lambda *i: exps[i] / total[_without(i, axis)], "probability")


def qlinear_softmax(builder: Builder, node: Node, op: QLinearSoftmax) -> Any:
    """Define :class:`~htvm.ir.ops.QLinearSoftmax`."""
    (source,) = builder.operands(node)
    out = builder.output(node)
    axis = op.axis % len(source.shape)
    exps, total = _table_exps(builder, source, axis, op.table[::-1])
    scale = const(float(np.float32(op.scale)), "float32")
    lo, hi = out.dtype.bounds

    def probability(*index: Expr) -> Expr:
        share = exps[index] * scale / total[_without(index, axis)]
        return offset_to(to_even(share), op.zero_point, lo, hi, out.dtype)

    return te.compute(source.shape, probability, "probability")


def _table_exps(builder: Builder, source: Any, axis: int, table: Any) -> tuple[Any, Any]:
    """``table[max - x]`` and its sums along ``axis``, in index order."""
    entries = builder.table(np.asarray(table, dtype=np.float32), "table")
    greatest = _along(source, axis, te.max, lambda value: cast(value, "int32"), "greatest")

    def exponential(*index: Expr) -> Expr:
        return entries[greatest[_without(index, axis)] - cast(source[index], "int32")]

    exps = te.compute(source.shape, exponential, "exps")
    return exps, _along(exps, axis, te.sum, lambda value: value, "total")


def _to_sum(value: Expr) -> Expr:
    """A Q31 exponential as a term of the sum, which has 12 integer bits."""
    places = const(_SUM_INTEGER_BITS, "int32")
    return unsigned(extern("int32", ROUNDING_SHIFT, value, places))


def _along(
    source: Any,
    axis: int,
    reducer: Callable[..., Any],
    element: Callable[[Expr], Expr],
    name: str,
) -> Any:
    """A reduction along one axis, which the result no longer has."""
    along = te.reduce_axis((0, int(source.shape[axis])), "i")

    def reduced(*index: Expr) -> Expr:
        return reducer(element(source[(*index[:axis], along, *index[axis:])]), axis=[along])

    return te.compute(_without(tuple(source.shape), axis), reduced, name)


def _without(index: Index, axis: int) -> tuple[Any, ...]:
    return (*index[:axis], *index[axis + 1 :])
