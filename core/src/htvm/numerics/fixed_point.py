"""Signed 32-bit fixed point as gemmlowp and TFLite's reference kernels define it.

Raw values are int32 held in int64 arrays. A comment or name ``q5`` means five integer bits,
that is, a raw value of ``real * 2**26``; ``q0`` values lie in ``[-1, 1)``.
"""

from __future__ import annotations

from math import exp

import numpy as np

from htvm.numerics.arithmetic import Numbers, divide_truncating

INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1
_Q0_ONE = INT32_MAX
_Q2_ONE = 1 << 29
_NEWTON_STEPS = 3


def saturate(values: Numbers) -> Numbers:
    """``values`` limited to int32's range."""
    limited: Numbers = np.clip(values, INT32_MIN, INT32_MAX)
    return limited


def high_multiply(a: Numbers, b: Numbers | int) -> Numbers:
    """``a * b / 2**31`` rounded half away from zero, saturating: the Q31 product."""
    product = np.asarray(a, dtype=np.int64) * np.asarray(b, dtype=np.int64)
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    return saturate(divide_truncating(product + nudge, 1 << 31))


def rounding_shift_right(values: Numbers, amount: Numbers | int) -> Numbers:
    """``values / 2**amount`` rounded half away from zero; ``amount`` is 0..31."""
    bits = np.asarray(amount, dtype=np.int64)
    mask = (np.int64(1) << bits) - 1
    threshold = (mask >> 1) + (values < 0)
    shifted: Numbers = (values >> bits) + ((values & mask) > threshold)
    return shifted


def saturating_shift_left(values: Numbers, amount: int) -> Numbers:
    """``values * 2**amount``, saturating."""
    return saturate(np.asarray(values, dtype=np.int64) << amount)


def _exp_near_zero(a_q0: Numbers) -> Numbers:
    """Exponential of q0 values in ``[-1/4, 0)``, as q0: Taylor to degree 4 around -1/8."""
    centre = round(exp(-0.125) * 2**31)
    third = round(2**31 / 3)
    x = a_q0 + (1 << 28)
    square = high_multiply(x, x)
    cube = high_multiply(square, x)
    fourth_over_4 = rounding_shift_right(high_multiply(square, square), 2)
    tail = rounding_shift_right(high_multiply(fourth_over_4 + cube, third) + square, 1)
    return saturate(centre + high_multiply(x + tail, centre))


def exp_of_negative(a: Numbers, integer_bits: int) -> Numbers:
    """Exponential of values ``a <= 0`` with ``integer_bits`` integer bits, as q0.

    The part below 1/4 goes through a polynomial; each further bit of ``-a`` multiplies by its
    own constant ``exp(-2**k)``.
    """
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    remainder = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(saturating_shift_left(remainder, integer_bits))
    whole = remainder - a
    for power in range(-2, integer_bits):
        factor = round(exp(-(2.0**power)) * 2**31)
        taken = (whole >> (fraction_bits + power)) & 1
        result = np.where(taken == 1, high_multiply(result, factor), result)
    return np.where(a == 0, _Q0_ONE, result)


def _reciprocal_of_half_sum(a_q0: Numbers) -> Numbers:
    """``2 / (1 + a)`` for q0 values in ``[0, 1]``, as q2, by Newton's method."""
    half_sum = (a_q0 + _Q0_ONE + 1) >> 1
    x = round(48 / 17 * 2**29) + high_multiply(half_sum, -round(32 / 17 * 2**29))
    for _ in range(_NEWTON_STEPS):
        error = _Q2_ONE - high_multiply(half_sum, x)
        x = x + saturating_shift_left(high_multiply(x, error), 2)
    return x


def one_over_one_plus(a_q0: Numbers) -> Numbers:
    """``1 / (1 + a)`` for q0 values in ``[0, 1]``, as q0."""
    return saturating_shift_left(_reciprocal_of_half_sum(a_q0), 1)


def one_minus_over_one_plus(a_q0: Numbers) -> Numbers:
    """``(1 - a) / (1 + a)`` for q0 values in ``[0, 1]``, as q0."""
    return saturating_shift_left(_reciprocal_of_half_sum(a_q0) - _Q2_ONE, 2)


def logistic(a: Numbers, integer_bits: int) -> Numbers:
    """``1 / (1 + exp(-a))`` of values with ``integer_bits`` integer bits, as q0."""
    positive = one_over_one_plus(exp_of_negative(-np.abs(a), integer_bits))
    signed = np.where(a > 0, positive, _Q0_ONE - positive)
    return np.where(a == 0, 1 << 30, signed)


def tanh(a: Numbers, integer_bits: int) -> Numbers:
    """``tanh(a)`` of values with ``integer_bits`` integer bits, as q0."""
    # tanh(|a|) = (1 - e) / (1 + e) with e = exp(-2|a|): doubling is one more integer bit.
    magnitude = one_minus_over_one_plus(exp_of_negative(-np.abs(a), integer_bits + 1))
    return np.where(a == 0, 0, np.where(a < 0, -magnitude, magnitude))


def multiply_by_quantized(values: Numbers, mul: Numbers | int, exponent: Numbers | int) -> Numbers:
    """TFLite's ``values * mul * 2**(exponent - 31)``: left shift, Q31 product, rounding shift.

    The left shift wraps to 32 bits, as the C reference does in practice.
    """
    power = np.asarray(exponent, dtype=np.int64)
    shifted = np.asarray(values, dtype=np.int64) << np.maximum(power, 0)
    wrapped = shifted.astype(np.int32).astype(np.int64)
    return rounding_shift_right(high_multiply(wrapped, mul), np.maximum(-power, 0))
