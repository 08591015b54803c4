"""TFLite's fixed-point softmax: its exponentials as a table, its reciprocal in C.

Raw values are int32 with 31 fraction bits less the integer bits; ``q0`` lies in ``[-1, 1)``.
"""

from __future__ import annotations

from math import exp

import numpy as np
import numpy.typing as npt

_INT32 = (-(2**31), 2**31 - 1)
_INTEGER_BITS = 5
_FRACTION_BITS = 31 - _INTEGER_BITS
_QUARTER = 1 << (_FRACTION_BITS - 2)


def exponentials(mul: int, left_shift: int, diff_min: int) -> npt.NDArray[np.int32]:
    """``exp`` of every difference to the maximum, as q0; cut where all the rest are dropped.

    Args:
        mul: Q31 multiplier of a difference.
        left_shift: Its power of two; the product has five integer bits.
        diff_min: Least difference that counts, zero or negative.
    """
    kept = min(255, -diff_min) + 1
    entries = [_exp(_scaled(-below, mul, left_shift)) for below in range(max(0, kept))]
    return np.array(entries or [0], dtype=np.int32)


def _scaled(difference: int, mul: int, left_shift: int) -> int:
    if left_shift < 0:
        return _shift_right(_high(difference, mul), -left_shift)
    wrapped = (difference << left_shift) & 0xFFFFFFFF
    return _high(wrapped - (1 << 32) if wrapped >= 1 << 31 else wrapped, mul)


def _high(a: int, b: int) -> int:
    return min((a * b + (1 << 30)) >> 31, _INT32[1])


def _shift_right(value: int, amount: int) -> int:
    if amount == 0:
        return value
    return (value + (1 << (amount - 1)) - (value < 0)) >> amount


def _saturated(value: int) -> int:
    return max(_INT32[0], min(_INT32[1], value))


def _exp(a: int) -> int:
    """Exponential of a value ``<= 0`` with five integer bits, as q0."""
    if a == 0:
        return _INT32[1]
    remainder = (a & (_QUARTER - 1)) - _QUARTER
    result = _exp_near_zero(_saturated(remainder << _INTEGER_BITS))
    whole = remainder - a
    for power in range(-2, _INTEGER_BITS):
        if (whole >> (_FRACTION_BITS + power)) & 1:
            result = _high(result, round(exp(-(2.0**power)) * 2**31))
    return result


def _exp_near_zero(a: int) -> int:
    """Exponential of q0 values in ``[-1/4, 0)``: a polynomial around -1/8."""
    centre, third = round(exp(-0.125) * 2**31), round(2**31 / 3)
    x = a + (1 << 28)
    square = _high(x, x)
    cube, fourth = _high(square, x), _high(square, square)
    tail = _shift_right(_high(_shift_right(fourth, 2) + cube, third) + square, 1)
    return _saturated(centre + _high(x + tail, centre))


RECIPROCAL = """\
/* a * b / 2^31, rounded to nearest. */
static int32_t htvm_high_multiply(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + INT64_C(0x40000000)) >> 31);
}

/* value / 2^amount, rounded half away from zero. */
static int32_t htvm_shift_right(int32_t value, int32_t amount)
{
    const int64_t half = (INT64_C(1) << amount) >> 1;
    return (int32_t)((value + half - (amount > 0 && value < 0)) >> amount);
}

/* value * 2^amount, saturated. */
static int32_t htvm_shift_left_saturating(int32_t value, int32_t amount)
{
    const int64_t wide = (int64_t)value * (INT64_C(1) << amount);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* 1 / sum of a positive number with 12 integer bits, by Newton's method; the result is scaled so
 * that a product with it wants a shift by places to become a probability of 8 bits. */
static int32_t htvm_reciprocal(int32_t sum, int32_t *places)
{
    int32_t zeros = 0;
    while (((uint32_t)sum << zeros) < UINT32_C(0x80000000)) {
        zeros++;
    }
    *places = 12 - zeros + 31 - 8;
    const int64_t fraction = (int64_t)((uint32_t)sum << zeros) - INT64_C(0x80000000);
    const int32_t half = (int32_t)((fraction + INT64_C(0x80000000)) >> 1);
    int32_t x = INT32_C(1515870810) + htvm_high_multiply(half, INT32_C(-1010580540));
    for (int32_t step = 0; step < 3; step++) {
        const int32_t error = (INT32_C(1) << 29) - htvm_high_multiply(half, x);
        x += htvm_shift_left_saturating(htvm_high_multiply(x, error), 2);
    }
    return htvm_shift_left_saturating(x, 1);
}"""
