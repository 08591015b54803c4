"""TFLite's way from real scales to integer parameters, in the same float arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, frexp, inf

import numpy as np

from htvm.frontend import refuse
from htvm.ir.requant import Ints

_LEAST_EXPONENT = -31
_GREATEST_FACTOR = 2.0**31
_RELU, _RELU_N1_TO_1, _RELU6 = 1, 2, 3
_REAL_RANGES = {_RELU: (0.0, None), _RELU_N1_TO_1: (-1.0, 1.0), _RELU6: (0.0, 6.0)}


def round_half_away(value: float) -> int:
    """C's ``round``."""
    return floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Q31 multiplier and exponent of a factor; one below ``2**-32`` becomes zero.

    Raises:
        UnsupportedModelError: the factor is so great that nothing fits 32 bits after it.
    """
    if not abs(real) < _GREATEST_FACTOR:
        raise refuse.bad_number("a change of scale", f"factor {real}", "factors below 2**31")
    mantissa, exponent = frexp(real)
    mul = round_half_away(mantissa * 2**31)
    if mul == 2**31:
        mul, exponent = 2**30, exponent + 1
    return (0, 0) if exponent < _LEAST_EXPONENT else (mul, exponent)


def quantize_multipliers(reals: Iterable[float]) -> tuple[Ints, Ints]:
    """The multipliers and the exponents of many factors."""
    pairs = [quantize_multiplier(real) for real in reals]
    return (
        np.array([mul for mul, _ in pairs], dtype=np.int64),
        np.array([exponent for _, exponent in pairs], dtype=np.int64),
    )


def activation_range(function: int, scale: float, zero_point: int) -> tuple[int, int] | None:
    """Least and greatest int8 value a fused activation lets through; None if it is not known.

    Args:
        function: The schema's ``ActivationFunctionType``.
        scale: Of the output.
        zero_point: Of the output.
    """
    if function == 0:
        return -128, 127
    if function not in _REAL_RANGES:
        return None
    low, high = _REAL_RANGES[function]
    lo = max(-128, _quantized(low, scale, zero_point))
    hi = 127 if high is None else min(127, _quantized(high, scale, zero_point))
    return lo, hi


def real_range(function: int) -> tuple[float, float] | None:
    """Least and greatest float a fused activation lets through; None if it is not known."""
    if function == 0:
        return -inf, inf
    if function not in _REAL_RANGES:
        return None
    low, high = _REAL_RANGES[function]
    return low, inf if high is None else high


def _quantized(real: float, scale: float, zero_point: int) -> int:
    return zero_point + round_half_away(float(np.float32(real) / np.float32(scale)))


def input_radius(integer_bits: int, left_shift: int) -> int:
    """Greatest input difference that fits 31-bit fixed point of ``integer_bits`` after scaling."""
    return ((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) >> left_shift
