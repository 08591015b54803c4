"""C functions the generated code shares.

Right shifts of negative values are arithmetic, as every compiler for a two's complement machine
has them.
"""

from __future__ import annotations

from collections.abc import Iterable

CLIP = """\
/* The nearest number to `value` from `lo` to `hi`. */
static inline int32_t htvm_clip(int32_t value, int32_t lo, int32_t hi)
{
    value = value < lo ? lo : value;
    return value > hi ? hi : value;
}"""

LIMIT = """\
/* The nearest number to `value` from `lo` to `hi`: one branch, seldom taken. */
static inline int32_t htvm_limit(int32_t value, int32_t lo, int32_t hi)
{
    if ((uint32_t)value - (uint32_t)lo > (uint32_t)hi - (uint32_t)lo) {
        value = value < lo ? lo : hi;
    }
    return value;
}"""

CLIP64 = """\
/* The nearest number to `value` from `lo` to `hi`. */
static inline int32_t htvm_clip64(int64_t value, int32_t lo, int32_t hi)
{
    value = value < lo ? lo : value;
    return (int32_t)(value > hi ? hi : value);
}"""

# The product needs no case for the sign: truncating (p - nudge) is flooring (p + nudge). With two
# bits of head room (p + 2**30) >> 31 == ((4p >> 32) + 1) >> 1.
TFLITE_RIGHT = """\
/* value * mul / 2^31, then that / 2^shift, each rounded half away from zero; |value| < 2^29 and
 * shift > 0. Two bits of head room make the product one high multiply. */
static inline int32_t htvm_q31_right(int32_t value, int32_t mul, int32_t shift)
{
    const int32_t high = (int32_t)(((int64_t)(value * 4) * mul) >> 32);
    const int32_t product = (high + 1) >> 1;
    return (product + (INT32_C(1) << (shift - 1)) + (product >> 31)) >> shift;
}"""

TFLITE = """\
/* value * mul / 2^31 * 2^exponent: shifted left first, product and right shift rounded half away
 * from zero, the product saturated. */
static inline int32_t htvm_q31(int32_t value, int32_t mul, int32_t exponent)
{
    const int32_t left = exponent > 0 ? exponent : 0;
    const int32_t right = exponent > 0 ? 0 : -exponent;
    const int32_t shifted = (int32_t)((uint32_t)value << left);
    int64_t high = ((int64_t)shifted * mul + INT64_C(0x40000000)) >> 31;
    const int64_t half = (INT64_C(1) << right) >> 1;
    high = high > INT32_MAX ? INT32_MAX : high;
    return (int32_t)((high + half - (right > 0 && high < 0)) >> right);
}"""

ROUND = """\
/* `value` within `lo` and `hi`, rounded half to even. Adding 1.5 * 2^23 leaves no bit for a
 * fraction, so the addition rounds and the integer stands in the low bits; |lo|, |hi| <= 2^22. */
static inline int32_t htvm_round(float value, float lo, float hi)
{
    int32_t bits;
    value = value < lo ? lo : value;
    value = value > hi ? hi : value;
    value += 12582912.0f;
    memcpy(&bits, &value, sizeof bits);
    return bits - INT32_C(0x4B400000);
}"""

ROUND_WIDE = """\
/* `value` rounded, plus the zero point, within `lo` and `hi`: for ranges beyond 2^22. */
static inline int32_t htvm_round_wide(float value, int32_t zero_point, int32_t lo, int32_t hi)
{
    const double rounded = (double)rintf(value) + zero_point;
    return rounded <= lo ? lo : rounded >= hi ? hi : (int32_t)rounded;
}"""

ROUND_AWAY = """\
/* `value` within `lo` and `hi`, rounded half away from zero; the fraction is exact. */
static inline int32_t htvm_round_away(float value, float lo, float hi)
{
    value = value < lo ? lo : value;
    value = value > hi ? hi : value;
    const int32_t whole = (int32_t)value;
    const float fraction = value - (float)whole;
    return whole + (fraction >= 0.5f) - (fraction <= -0.5f);
}"""

ROUND_WIDE_AWAY = ROUND_WIDE.replace("htvm_round_wide", "htvm_round_wide_away").replace(
    "rintf", "roundf"
)

BIT_LENGTH = """\
/* Bits of `value` up to its highest 1. */
static inline int32_t htvm_bit_length(uint64_t value)
{
    int32_t length = 0;
    for (int32_t step = 32; step > 0; step >>= 1) {
        if (value >> step) {
            length += step;
            value >>= step;
        }
    }
    return length + (int32_t)value;
}"""

ROUND_EVEN = """\
/* value / 2^shift, rounded half to even. */
static inline uint64_t htvm_round_even(uint64_t value, int32_t shift)
{
    const int32_t bits = shift > 62 ? 62 : shift;
    const uint64_t quotient = value >> bits;
    const uint64_t rest = value - (quotient << bits);
    const uint64_t half = (UINT64_C(1) << bits) >> 1;
    return quotient + (rest > half || (rest == half && bits > 0 && (quotient & 1)));
}"""

FLOAT_SCALE = """\
/* What float32 gives for rint(acc * factor * 2^power), in integers: accumulator, product and result
 * are each rounded half to even, the first two to a mantissa of 24 bits. */
static int64_t htvm_float_scale(int32_t acc, int32_t factor, int32_t power)
{
    const int negative = (acc < 0) != (factor < 0);
    uint64_t value = acc < 0 ? -(uint64_t)acc : (uint64_t)acc;
    int32_t excess = htvm_bit_length(value) - 24;
    if (excess > 0) {
        value = htvm_round_even(value, excess);
        power += excess;
    }
    value *= factor < 0 ? -(uint64_t)factor : (uint64_t)factor;
    excess = htvm_bit_length(value) - 24;
    if (excess > 0) {
        value = htvm_round_even(value, excess);
        power += excess;
    }
    if (power >= 0) {
        value <<= power > 38 ? 38 : power;
    } else {
        value = htvm_round_even(value, -power);
    }
    return negative ? -(int64_t)value : (int64_t)value;
}"""

FLOAT_SCALE_ALL = (BIT_LENGTH, ROUND_EVEN, FLOAT_SCALE)


def _reverse(kind: str) -> str:
    return f"""\
/* Four bytes the other way round, as a core of the other byte order sees them. */
static inline void htvm_reverse_{kind}({kind} *to, const {kind} *from)
{{
    const {kind} b0 = from[0], b1 = from[1], b2 = from[2], b3 = from[3];
    to[0] = b3;
    to[1] = b2;
    to[2] = b1;
    to[3] = b0;
}}"""


REVERSE = {kind: _reverse(kind) for kind in ("int8_t", "uint8_t")}
"""``htvm_reverse_int8_t`` and its like, by the type of an element."""


def reversals(lines: Iterable[str]) -> tuple[str, ...]:
    """The functions of ``REVERSE`` that C text calls."""
    whole = "\n".join(lines)
    return tuple(text for kind, text in REVERSE.items() if f"htvm_reverse_{kind}(" in whole)
