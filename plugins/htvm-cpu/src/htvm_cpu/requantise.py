"""C of the five requantisation arithmetics, narrowed by what the accumulator can hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from htvm.api import DType, InternalError, requant
from htvm_cpu import helpers
from htvm_cpu.snippet import Value, Writer, fits_int32
from htvm_cpu.text import integer, plus, real

Ints = npt.NDArray[np.int64]

_MAGIC_LIMIT = 1 << 22
_HEAD_ROOM = 1 << 29
_FLOAT_EXACT = 1 << 24
_MOST_HALVINGS = 23


def requantise(op: requant.Requant, value: Value, channel: str, writer: Writer) -> Value:
    """Statements that requantise one element.

    Args:
        op: The requantisation.
        value: What goes in, with its bounds.
        channel: C expression of the index into per-channel parameters.
        writer: Takes the statements.

    Raises:
        InternalError: the arithmetic is unknown.
    """
    match op:
        case requant.ShiftRequant():
            text = _shift(op, value, channel, writer)
        case requant.Mulshift31Requant():
            text = _mulshift31(op, value, channel, writer)
        case requant.TfliteRequant():
            text = _tflite(op, value, channel, writer)
        case requant.FloatRequant():
            text = _float(op, value, channel, writer)
        case _:
            raise InternalError(f"no C for requantisation {type(op).__name__}")
    return Value(text=writer.let(text), lo=op.lo, hi=op.hi)


def _parameter(
    stem: str, values: npt.NDArray[np.generic], dtype: DType, channel: str, writer: Writer
) -> str:
    """A literal where all channels agree, else an element of a constant array."""
    if np.all(values == values.flat[0]):
        first = values.flat[0]
        return real(float(first)) if dtype is DType.FLOAT32 else integer(int(first))
    return writer.per_channel(stem, dtype, values, channel)


def _narrowest(values: Ints, *types: DType) -> DType:
    lo, hi = int(values.min()), int(values.max())
    return next((t for t in types if t.bounds[0] <= lo and hi <= t.bounds[1]), DType.INT64)


def _product_bounds(value: Value, mul: Ints, add: Ints) -> tuple[int, int]:
    ends = [end * int(m) + int(a) for m, a in np.broadcast(mul, add) for end in value.interval]
    return min(ends), max(ends)


def _clipped(text: str, op: requant.Requant, zero_point: int, *, wide: bool, writer: Writer) -> str:
    """The clip, done before the zero point is added so that the sum cannot overflow."""
    if not wide and zero_point == 0 and (op.lo, op.hi) == DType.INT32.bounds:
        return text
    lo, hi = integer(op.lo - zero_point), integer(op.hi - zero_point)
    if wide:
        name, text_of = "htvm_clip64", helpers.CLIP64
    elif writer.host.is_scalar:
        name, text_of = "htvm_limit", helpers.LIMIT
    else:
        name, text_of = "htvm_clip", helpers.CLIP
    writer.needs(text_of)
    return plus(f"{name}({text}, {lo}, {hi})", zero_point)


def _shift(op: requant.ShiftRequant, value: Value, channel: str, writer: Writer) -> str:
    lo, hi = _product_bounds(value, op.mul, op.add)
    widest = int(op.shift.max())
    ends = [bound * int(m) for m in np.unique(op.mul) for bound in value.interval]
    wide = not (fits_int32(lo, hi) and fits_int32(min(ends), max(ends)) and widest < 32)
    mul = _parameter("mul", op.mul, _narrowest(op.mul, DType.INT32), channel, writer)
    add = _parameter("add", op.add, _narrowest(op.add, DType.INT32), channel, writer)
    shift = _parameter("shift", op.shift, DType.UINT8, channel, writer)
    text = f"(int64_t){value.text}" if wide else value.text
    text = text if mul == "1" else f"{text} * {mul}"
    text = text if add == "0" else f"{text} + {add}"
    text = text if shift == "0" else f"({text}) >> {shift}"
    return _clipped(text, op, 0, wide=wide, writer=writer)


def _mulshift31(op: requant.Mulshift31Requant, value: Value, channel: str, writer: Writer) -> str:
    mul = _parameter("mul", op.mul, DType.INT32, channel, writer)
    shift = _parameter("shift", op.shift, DType.UINT8, channel, writer)
    rounding = f"(INT64_C(1) << ({shift} - 1))"
    text = f"((int64_t){value.text} * {mul} + {rounding}) >> {shift}"
    return _clipped(text, op, op.zero_point, wide=True, writer=writer)


def _tflite(op: requant.TfliteRequant, value: Value, channel: str, writer: Writer) -> str:
    lo, hi = ((end - op.input_zero_point) << op.left_shift for end in value.interval)
    text = plus(value.text, -op.input_zero_point)
    if op.left_shift and fits_int32(lo, hi):
        text = f"({text}) * {1 << op.left_shift}"
    elif op.left_shift:
        text = f"(int32_t)((uint32_t)({text}) << {op.left_shift})"
    mul = _parameter("mul", op.mul, DType.INT32, channel, writer)
    if _only_right(op, max(-lo, hi)):
        writer.needs(helpers.TFLITE_RIGHT)
        shift = _parameter("shift", -op.exponent, DType.UINT8, channel, writer)
        text = f"htvm_q31_right({text}, {mul}, {shift})"
    else:
        writer.needs(helpers.TFLITE)
        exponent = _parameter("exponent", op.exponent, DType.INT8, channel, writer)
        text = f"htvm_q31({text}, {mul}, {exponent})"
    return _clipped(text, op, op.zero_point, wide=False, writer=writer)


def _only_right(op: requant.TfliteRequant, magnitude: int) -> bool:
    """Whether the short form is exact: right shifts only, and two bits of head room."""
    shift = int(-op.exponent.min())
    return int(op.exponent.max()) < 0 and shift <= 31 and magnitude < _HEAD_ROOM


def _float(op: requant.FloatRequant, value: Value, channel: str, writer: Writer) -> str:
    bits = halvings(op)
    if bits and writer.host.is_scalar and max(map(abs, value.interval)) <= _FLOAT_EXACT:
        return _half_even(op, bits, value, writer)
    if op.emulated or not writer.host.fpu:
        return _emulated(op, value, channel, writer)
    scale = _parameter("scale", op.scale, DType.FLOAT32, channel, writer)
    return rounded(f"(float){value.text} * {scale}", op.zero_point, op.lo, op.hi, writer)


def halvings(op: requant.FloatRequant) -> int:
    """``n`` where the scale is ``2**-n`` for all channels, n from 1 to 23; else 0."""
    fraction, exponent = np.frexp(op.scale.astype(np.float64))
    same = np.all(fraction == 0.5) and np.unique(exponent).size == 1
    bits = 1 - int(exponent.flat[0])
    return bits if same and 1 <= bits <= _MOST_HALVINGS else 0


def _half_even(op: requant.FloatRequant, bits: int, value: Value, writer: Writer) -> str:
    """Half to even of a power of two, in integers: no float would be rounded before."""
    text = writer.let(value.text)
    below = (1 << (bits - 1)) - 1
    odd = f"(({text} >> {bits}) & 1)"
    total = plus(f"{text} + {odd}", below)
    return _clipped(f"({total}) >> {bits}", op, op.zero_point, wide=False, writer=writer)


def rounded(
    text: str, zero_point: int, lo: int, hi: int, writer: Writer, *, ties: str = "even"
) -> str:
    """``clip(round(text) + zero_point, lo, hi)`` of a float, ties to even or away from 0."""
    low, high = lo - zero_point, hi - zero_point
    if max(-low, high) > _MAGIC_LIMIT:
        wide = helpers.ROUND_WIDE if ties == "even" else helpers.ROUND_WIDE_AWAY
        name = "htvm_round_wide" if ties == "even" else "htvm_round_wide_away"
        writer.needs(wide)
        return f"{name}({text}, {integer(zero_point)}, {integer(lo)}, {integer(hi)})"
    writer.needs(helpers.ROUND if ties == "even" else helpers.ROUND_AWAY)
    name = "htvm_round" if ties == "even" else "htvm_round_away"
    return plus(f"{name}({text}, {real(low)}, {real(high)})", zero_point)


def _emulated(op: requant.FloatRequant, value: Value, channel: str, writer: Writer) -> str:
    fractions, exponents = np.frexp(op.scale.astype(np.float64))
    factor = np.ldexp(fractions, 24).astype(np.int64)
    power = exponents.astype(np.int64) - 24
    factors = _parameter("factor", factor, DType.INT32, channel, writer)
    powers = _parameter("power", power, _narrowest(power, DType.INT8, DType.INT16), channel, writer)
    writer.needs(*helpers.FLOAT_SCALE_ALL)
    text = f"htvm_float_scale({value.text}, {factors}, {powers})"
    return _clipped(text, op, op.zero_point, wide=True, writer=writer)
