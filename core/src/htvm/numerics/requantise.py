"""The five arithmetics of requantisation."""

from __future__ import annotations

import numpy as np

from htvm.ir.requant import FloatRequant, Mulshift31Requant, ShiftRequant, TfliteRequant
from htvm.numerics.arithmetic import Numbers, along, clip_to
from htvm.numerics.fixed_point import multiply_by_quantized
from htvm.numerics.float_emulation import scale_and_round


def shift_requant(op: ShiftRequant, acc: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.requant.ShiftRequant`."""
    mul, add, shift = (along(p, op.axis, acc.ndim) for p in (op.mul, op.add, op.shift))
    return clip_to((acc.astype(np.int64) * mul + add) >> shift, op.lo, op.hi, op.out)


def mulshift31_requant(op: Mulshift31Requant, acc: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.requant.Mulshift31Requant`."""
    mul, shift = (along(p, op.axis, acc.ndim) for p in (op.mul, op.shift))
    rounding = np.int64(1) << (shift - 1)
    scaled = (acc.astype(np.int64) * mul + rounding) >> shift
    return clip_to(scaled + op.zero_point, op.lo, op.hi, op.out)


def tflite_requant(op: TfliteRequant, acc: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.requant.TfliteRequant`."""
    mul, exponent = (along(p, op.axis, acc.ndim) for p in (op.mul, op.exponent))
    shifted = (acc.astype(np.int64) - op.input_zero_point) << op.left_shift
    scaled = multiply_by_quantized(shifted, mul, exponent)
    return clip_to(scaled + op.zero_point, op.lo, op.hi, op.out)


def float_requant(op: FloatRequant, acc: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.requant.FloatRequant`, in floats or emulated."""
    scale = along(op.scale, op.axis, acc.ndim).astype(np.float32)
    if op.emulated:
        return clip_to(scale_and_round(acc, scale) + op.zero_point, op.lo, op.hi, op.out)
    product = acc.astype(np.float32) * scale
    # In float64 the sum is exact wherever it is not clipped anyway.
    rounded = np.rint(product).astype(np.float64) + op.zero_point
    return clip_to(rounded, op.lo, op.hi, op.out)
