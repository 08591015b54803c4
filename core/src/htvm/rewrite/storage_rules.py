"""How ops change when the elements they read or write are all stored 128 less or more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from htvm.ir import ops, requant
from htvm.ir.dtype import DType
from htvm.ir.ops import Op

Rule = Callable[[Any, int, DType], Op]

CARRIERS = (
    ops.Transpose,
    ops.Reshape,
    ops.Slice,
    ops.Concat,
    ops.MaxPool2d,
    ops.Pad,
    ops.Clip,
)


def carry(op: Any, offset: int, wanted: DType) -> Op:
    """A movement of elements that are all ``offset`` more."""
    del wanted
    if isinstance(op, ops.Pad):
        return replace(op, value=op.value + offset)
    if isinstance(op, ops.Clip):
        return replace(op, lo=op.lo + offset, hi=op.hi + offset)
    kept: Op = op
    return kept


def _input_zero_point(op: Any, offset: int, wanted: DType) -> Op:
    del wanted
    moved: Op = replace(op, input_zero_point=op.input_zero_point + offset)
    return moved


def _zero_point(op: Any, offset: int, wanted: DType) -> Op:
    del wanted
    moved: Op = replace(op, zero_point=op.zero_point + offset)
    return moved


def _add_before(op: Any, offset: int, wanted: DType) -> Op:
    del wanted
    moved: Op = replace(op, add=op.add - op.mul * offset)
    return moved


def _cast(op: Any, offset: int, wanted: DType) -> Op:
    """Widening, with the offset taken off."""
    del wanted
    lo, hi = op.out.bounds
    one = np.array([1], np.int64)
    return requant.ShiftRequant(out=op.out, lo=lo, hi=hi, mul=one, add=-offset * one, shift=0 * one)


def _same(op: Any, offset: int, wanted: DType) -> Op:
    del offset, wanted
    kept: Op = op
    return kept


_READING: Mapping[type[Op], Rule] = {
    ops.Conv2d: _input_zero_point,
    ops.Dense: _input_zero_point,
    ops.FloatConv2d: _input_zero_point,
    ops.FloatDense: _input_zero_point,
    ops.SumPool2d: _input_zero_point,
    ops.ReduceSum: _input_zero_point,
    ops.MatMul: _same,
    ops.Dequantize: _zero_point,
    ops.Lut: _same,
    requant.TfliteRequant: _input_zero_point,
    requant.ShiftRequant: _add_before,
    **dict.fromkeys(CARRIERS, carry),
}


def reading(op: Op) -> Rule | None:
    """How an op changes when its input is stored otherwise; None if it cannot."""
    if isinstance(op, ops.Cast):
        return _cast if op.out in {DType.INT32, DType.INT64} else None
    return _READING.get(type(op))


def with_input(op: Op, index: int, offset: int) -> Op:
    """The op for an input whose elements are all ``offset`` more.

    Args:
        op: One that :func:`reading` knows.
        index: Which of its inputs.
        offset: Less than 0 for elements that became less.
    """
    if isinstance(op, ops.MatMul):
        if index == 0:
            return replace(op, a_zero_point=op.a_zero_point + offset)
        return replace(op, b_zero_point=op.b_zero_point + offset)
    if isinstance(op, ops.Conv2d | ops.Dense) and index == 1:
        return replace(op, weight_zero_point=op.weight_zero_point + offset)
    rule = reading(op)
    return op if rule is None else rule(op, offset, DType.INT8)


def _bounded(op: Any, offset: int, wanted: DType) -> Any:
    return replace(op, out=wanted, lo=op.lo + offset, hi=op.hi + offset)


def _result_zero_point(op: Any, offset: int, wanted: DType) -> Op:
    moved: Op = replace(_bounded(op, offset, wanted), zero_point=op.zero_point + offset)
    return moved


def _result_add(op: Any, offset: int, wanted: DType) -> Op:
    shift, add = np.broadcast_arrays(op.shift, op.add)
    moved: Op = replace(_bounded(op, offset, wanted), add=add + (offset << shift))
    return moved


def _table(op: Any, offset: int, wanted: DType) -> Op:
    table = (np.asarray(op.table).astype(np.int64) + offset).astype(wanted.numpy)
    return ops.Lut(table=table, out=wanted)


def writing(op: Op) -> Rule | None:
    """How an op changes when its result is to be stored otherwise; None if it cannot."""
    if isinstance(op, requant.ShiftRequant):
        return _result_add
    if isinstance(op, requant.Requant | ops.Quantize):
        return _result_zero_point
    return _table if isinstance(op, ops.Lut) else None
