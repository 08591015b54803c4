"""float32 scaling from int64 arithmetic alone, for hosts without an FPU."""

from __future__ import annotations

import numpy as np

from htvm.numerics.arithmetic import Numbers

_MANTISSA_BITS = 24
_GREATEST_LEFT_SHIFT = 38
"""Keeps a mantissa within int64; what is shifted so far is beyond any clip range already."""


def scale_and_round(acc: Numbers, scale: Numbers) -> Numbers:
    """``rint(f32(f32(acc) * scale))`` for integer ``acc`` with ``|acc| < 2**62``, as int64.

    The integer and the product of the two mantissas are each rounded half to even to 24 bits, the
    scaled result then to an integer. A product that float32 would hold as a subnormal rounds to 0
    either way, so subnormals need no case of their own. Results from 2**38 up are only known to
    be so large.
    """
    factor, power = _decompose(scale)
    whole = acc.astype(np.int64)
    magnitude, shift = _to_mantissa(np.abs(whole))
    product, more = _to_mantissa(magnitude * np.abs(factor))
    exponent = shift + more + power
    scaled = np.where(
        exponent >= 0,
        product << np.clip(exponent, 0, _GREATEST_LEFT_SHIFT),
        round_half_even(product, np.maximum(-exponent, 0)),
    )
    negative = (whole < 0) ^ (factor < 0)
    return np.where(negative, -scaled, scaled)


def round_half_even(values: Numbers, amount: Numbers) -> Numbers:
    """``values / 2**amount`` to the nearest integer, ties to even; both non-negative."""
    # Past 62 places any int64 is below one half, and a shift by 63 or more is undefined in C.
    bits = np.minimum(amount, 62)
    quotient = values >> bits
    rest = values - (quotient << bits)
    half = (np.int64(1) << bits) >> 1
    up = (rest > half) | ((rest == half) & (bits > 0) & (quotient & 1 == 1))
    rounded: Numbers = quotient + up
    return rounded


def _decompose(scale: Numbers) -> tuple[Numbers, Numbers]:
    """``scale = factor * 2**power`` with an integer factor below 2**24, from the float's bits."""
    bits = np.asarray(scale, dtype=np.float32).view(np.int32).astype(np.int64)
    exponent = (bits >> 23) & 0xFF
    fraction = bits & 0x7FFFFF
    magnitude = np.where(exponent > 0, fraction | 0x800000, fraction)
    factor = np.where(bits < 0, -magnitude, magnitude)
    return factor, np.maximum(exponent, 1) - 150


def _to_mantissa(values: Numbers) -> tuple[Numbers, Numbers]:
    """``values`` rounded half to even to 24 bits: mantissa and its power of two."""
    excess = np.maximum(_bit_length(values) - _MANTISSA_BITS, 0)
    return round_half_even(values, excess), excess


def _bit_length(values: Numbers) -> Numbers:
    """Bits up to the highest set one, of non-negative int64 values."""
    length = np.zeros_like(values)
    rest = values
    for step in (32, 16, 8, 4, 2, 1):
        high = rest >> step
        length = length + np.where(high > 0, step, 0)
        rest = np.where(high > 0, high, rest)
    return length + rest
