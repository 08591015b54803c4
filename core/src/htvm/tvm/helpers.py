"""C functions that printed expressions call, each a complete text.

They keep expressions short where TIR has no word for what is meant: operands used twice, and the
fixed-point arithmetic of TFLite's reference kernels.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp

PREFIX = "htvm_tail_"

_C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "int64": "int64_t",
    "uint64": "uint64_t",
    "float32": "float",
}

HIGH_MULTIPLY = f"{PREFIX}high_multiply"
ROUNDING_SHIFT = f"{PREFIX}rounding_shift"
SCALE_Q31 = f"{PREFIX}scale_q31"
EXP_Q5 = f"{PREFIX}exp_q5"
LEADING_ZEROS = f"{PREFIX}leading_zeros"
RECIPROCAL = f"{PREFIX}reciprocal"
BIT_LENGTH = f"{PREFIX}bit_length"
ROUND_EVEN = f"{PREFIX}round_even"
SCALE_EMULATED = f"{PREFIX}scale_emulated"


def selection(function: str, dtype: str) -> str:
    """Name of the helper that picks the ``"min"`` or ``"max"`` of two numbers of a type."""
    return f"{PREFIX}{function}_{dtype}"


def closure(names: Iterable[str]) -> tuple[str, ...]:
    """Texts of the named helpers and of those they call, each before its first use."""
    wanted = set(names)
    for name in reversed(_CALLS):
        if name in wanted:
            wanted.update(_CALLS[name])
    return tuple(text for name, text in _TEXTS.items() if name in wanted)


def _selection_text(function: str, dtype: str) -> str:
    kind, operator = _C_TYPES[dtype], "<" if function == "min" else ">"
    return f"""static inline {kind} {selection(function, dtype)}({kind} a, {kind} b)
{{
    return a {operator} b ? a : b;
}}"""


def _exp_factors() -> str:
    """exp(-2**k) as Q31, for the bits of a Q5.26 number from 1/4 to 16."""
    return ", ".join(str(round(exp(-(2.0**power)) * 2**31)) for power in range(-2, 5))


_TEXTS = {
    selection(function, dtype): _selection_text(function, dtype)
    for function in ("min", "max")
    for dtype in _C_TYPES
} | {
    HIGH_MULTIPLY: f"""/* a * b / 2^31, half away from zero, saturating. */
static inline int32_t {HIGH_MULTIPLY}(int32_t a, int32_t b)
{{
    const int64_t product = (int64_t)a * b;
    const int64_t nudge = product >= 0 ? INT64_C(1) << 30 : 1 - (INT64_C(1) << 30);
    const int64_t quotient = (product + nudge) / (INT64_C(1) << 31);
    return quotient > INT32_MAX ? INT32_MAX : (int32_t)quotient;
}}""",
    ROUNDING_SHIFT: f"""/* x / 2^places, half away from zero; places is 0 to 31. */
static inline int32_t {ROUNDING_SHIFT}(int32_t x, int32_t places)
{{
    const int32_t mask = (int32_t)((UINT32_C(1) << places) - 1u);
    const int32_t threshold = (mask >> 1) + (x < 0);
    return (x >> places) + ((x & mask) > threshold);
}}""",
    SCALE_Q31: f"""/* x * mul * 2^(exponent - 31) in TFLite's two roundings. */
static inline int32_t {SCALE_Q31}(int32_t x, int32_t mul, int32_t exponent)
{{
    const int32_t left = exponent > 0 ? exponent : 0;
    const int32_t shifted = (int32_t)((uint32_t)x << left);
    return {ROUNDING_SHIFT}({HIGH_MULTIPLY}(shifted, mul), left - exponent);
}}""",
    EXP_Q5: f"""/* exp of x <= 0 with 26 fraction bits, as Q31. */
static inline int32_t {EXP_Q5}(int32_t x)
{{
    static const int32_t factors[7] = {{{_exp_factors()}}};
    const int32_t centre = {round(exp(-0.125) * 2**31)};
    const int32_t quarter = INT32_C(1) << 24;
    const int32_t rest = (x & (quarter - 1)) - quarter;
    const int32_t whole = rest - x;
    const int32_t near = rest * 32 + (INT32_C(1) << 28);
    const int32_t square = {HIGH_MULTIPLY}(near, near);
    const int32_t cube = {HIGH_MULTIPLY}(square, near);
    const int32_t fourth = {ROUNDING_SHIFT}({HIGH_MULTIPLY}(square, square), 2);
    const int32_t third = {HIGH_MULTIPLY}(fourth + cube, {round(2**31 / 3)});
    const int32_t tail = {ROUNDING_SHIFT}(third + square, 1);
    int32_t result = centre + {HIGH_MULTIPLY}(near + tail, centre);
    if (x == 0) {{
        return INT32_MAX;
    }}
    for (int32_t bit = 0; bit < 7; ++bit) {{
        if ((whole >> (24 + bit)) & 1) {{
            result = {HIGH_MULTIPLY}(result, factors[bit]);
        }}
    }}
    return result;
}}""",
    LEADING_ZEROS: f"""/* Zero bits above the highest set one of x > 0. */
static inline int32_t {LEADING_ZEROS}(uint32_t x)
{{
    int32_t zeros = 0;
    while (!(x >> 31)) {{
        x <<= 1;
        ++zeros;
    }}
    return zeros;
}}""",
    RECIPROCAL: f"""/* 2^31 / x as Q31, for x of 2^31 and more, by Newton's method. */
static inline int32_t {RECIPROCAL}(uint32_t x)
{{
    const int32_t half = (int32_t)(x >> 1);
    int32_t estimate = {round(48 / 17 * 2**29)} + {HIGH_MULTIPLY}(half, {-round(32 / 17 * 2**29)});
    for (int32_t step = 0; step < 3; ++step) {{
        const int32_t error = (INT32_C(1) << 29) - {HIGH_MULTIPLY}(half, estimate);
        estimate += {HIGH_MULTIPLY}(estimate, error) * 4;
    }}
    return estimate > INT32_MAX / 2 ? INT32_MAX : estimate * 2;
}}""",
    BIT_LENGTH: f"""/* Bits up to the highest set one. */
static inline int32_t {BIT_LENGTH}(uint64_t x)
{{
    int32_t length = 0;
    for (; x; x >>= 1) {{
        ++length;
    }}
    return length;
}}""",
    ROUND_EVEN: f"""/* x / 2^places for x below 2^63, half to even. */
static inline uint64_t {ROUND_EVEN}(uint64_t x, int32_t places)
{{
    const int32_t bits = places > 62 ? 62 : places;
    const uint64_t quotient = x >> bits;
    const uint64_t rest = x - (quotient << bits);
    const uint64_t half = (UINT64_C(1) << bits) >> 1;
    return quotient + (rest > half || (rest == half && bits > 0 && (quotient & 1u)));
}}""",
    SCALE_EMULATED: f"""/* float32's x * factor * 2^power, rounded half to even; at most 2^40. */
static inline int64_t {SCALE_EMULATED}(int64_t x, int32_t factor, int32_t power)
{{
    const uint64_t limit = UINT64_C(1) << 40;
    const uint64_t size = x < 0 ? 0u - (uint64_t)x : (uint64_t)x;
    const uint64_t scale = (uint64_t)(factor < 0 ? -factor : factor);
    const int32_t length = {BIT_LENGTH}(size);
    const int32_t excess = length > 24 ? length - 24 : 0;
    const uint64_t exact = {ROUND_EVEN}(size, excess) * scale;
    const int32_t width = {BIT_LENGTH}(exact);
    const int32_t more = width > 24 ? width - 24 : 0;
    const int32_t exponent = power + excess + more;
    uint64_t result = {ROUND_EVEN}(exact, more);
    if (exponent < 0) {{
        result = {ROUND_EVEN}(result, -exponent);
    }} else if (result && {BIT_LENGTH}(result) + exponent > 40) {{
        result = limit;
    }} else {{
        result <<= exponent > 40 ? 0 : exponent;
    }}
    return (x < 0) != (factor < 0) ? -(int64_t)result : (int64_t)result;
}}""",
}

# In the order of the texts: a helper calls only earlier ones.
_CALLS: dict[str, tuple[str, ...]] = {
    SCALE_Q31: (HIGH_MULTIPLY, ROUNDING_SHIFT),
    EXP_Q5: (HIGH_MULTIPLY, ROUNDING_SHIFT),
    RECIPROCAL: (HIGH_MULTIPLY,),
    SCALE_EMULATED: (BIT_LENGTH, ROUND_EVEN),
}
