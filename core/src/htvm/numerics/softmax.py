"""The three softmax definitions."""

from __future__ import annotations

import numpy as np

from htvm.ir.ops import QLinearSoftmax, SoftmaxTable, SoftmaxTflite
from htvm.numerics.arithmetic import Numbers
from htvm.numerics.fixed_point import (
    exp_of_negative,
    high_multiply,
    multiply_by_quantized,
    one_over_one_plus,
    rounding_shift_right,
)

_DIFF_INTEGER_BITS = 5
_SUM_INTEGER_BITS = 12


def softmax_tflite(op: SoftmaxTflite, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.SoftmaxTflite`."""
    difference = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
    kept = difference >= op.diff_min
    # Dropped elements may not fit the fixed point; 0 stands in for them.
    scaled = multiply_by_quantized(np.where(kept, difference, 0), op.mul, op.left_shift)
    exps = exp_of_negative(scaled, _DIFF_INTEGER_BITS)
    terms = np.where(kept, rounding_shift_right(exps, _SUM_INTEGER_BITS), 0)
    total = terms.sum(axis=-1, keepdims=True)
    headroom = _leading_zeros(total)
    reciprocal = one_over_one_plus((total << headroom) - (1 << 31))
    places = _SUM_INTEGER_BITS - headroom + 31 - 8
    probability = rounding_shift_right(high_multiply(exps, reciprocal), places) - 128
    result: Numbers = np.where(kept, np.clip(probability, -128, 127), -128).astype(np.int8)
    return result


def _leading_zeros(values: Numbers) -> Numbers:
    """Zero bits above the highest set one, of positive values below 2**32."""
    zeros = np.zeros_like(values)
    for step in (16, 8, 4, 2, 1):
        empty = (values << zeros) < (1 << (32 - step))
        zeros = zeros + np.where(empty, step, 0)
    return zeros


def softmax_table(op: SoftmaxTable, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.SoftmaxTable`."""
    exps = op.table[_below_maximum(x, op.axis)]
    quotient: Numbers = exps / _ordered_sum(exps, op.axis)
    return quotient


def qlinear_softmax(op: QLinearSoftmax, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.QLinearSoftmax`."""
    exps = op.table[255 - _below_maximum(x, op.axis)]
    scaled = (exps * np.float32(op.scale)) / _ordered_sum(exps, op.axis)
    bounds = np.iinfo(x.dtype)
    rounded = np.rint(scaled).astype(np.float64) + op.zero_point
    result: Numbers = np.clip(rounded, bounds.min, bounds.max).astype(x.dtype)
    return result


def _below_maximum(x: Numbers, axis: int) -> Numbers:
    wide = x.astype(np.int64)
    below: Numbers = wide.max(axis=axis, keepdims=True) - wide
    return below


def _ordered_sum(values: Numbers, axis: int) -> Numbers:
    """float32 sum in index order; numpy's own sum is pairwise and rounds differently."""
    total = np.zeros_like(values.take([0], axis=axis))
    for index in range(values.shape[axis]):
        total = total + values.take([index], axis=axis)
    return total
