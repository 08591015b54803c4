"""Ops that treat every element alone."""

from __future__ import annotations

import numpy as np

from htvm.ir.ops import Cast, Clip, Dequantize, Elementwise, Lut, Quantize
from htvm.numerics.arithmetic import Numbers, along, clip_to, wrap_int32

_FUNCTIONS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "min": np.minimum,
    "max": np.maximum,
}


def elementwise(op: Elementwise, a: Numbers, b: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Elementwise`."""
    function = _FUNCTIONS[op.function]
    if a.dtype == np.float32:
        rounded: Numbers = function(a, b)
        return rounded
    return wrap_int32(function(a.astype(np.int64), b.astype(np.int64)))


def clip(op: Clip, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Clip`."""
    kind = x.dtype.type
    limited: Numbers = np.minimum(np.maximum(x, kind(op.lo)), kind(op.hi))
    return limited


def cast(op: Cast, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Cast`."""
    return x.astype(op.out.numpy)


def lut(op: Lut, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Lut`."""
    index = x.astype(np.int64) - np.iinfo(x.dtype).min
    looked_up: Numbers = op.table[index].astype(op.out.numpy)
    return looked_up


def quantize(op: Quantize, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Quantize`."""
    scaled = np.divide(x, along(op.scale, op.axis, x.ndim), dtype=np.float32)
    round_ = np.rint if op.rounding == "even" else _round_away
    rounded = round_(scaled).astype(np.float64) + op.zero_point
    return clip_to(rounded, op.lo, op.hi, op.out)


def _round_away(values: Numbers) -> Numbers:
    """Nearest integer, ties away from zero; float64 keeps the sum with a half exact enough."""
    nearest: Numbers = np.copysign(np.floor(np.abs(values.astype(np.float64)) + 0.5), values)
    return nearest


def dequantize(op: Dequantize, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Dequantize`."""
    shifted = (x.astype(np.int64) - op.zero_point).astype(np.float32)
    real: Numbers = shifted * along(op.scale, op.axis, x.ndim).astype(np.float32)
    return real
