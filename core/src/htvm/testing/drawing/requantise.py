"""Draws requantisations: every arithmetic, over the whole range of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import floor, log2

import numpy as np
import numpy.typing as npt

from htvm.ir import requant
from htvm.ir.dtype import DType
from htvm.target.contract import Range, signed_range
from htvm.testing.drawing.sketch import Size, Sketch, Unsuited, Want, whole

Ints = npt.NDArray[np.int64]

GOAL = 60.0
"""Typical size aimed at for 8-bit results, so that some saturate and most do not."""
WIDE_BITS = 24
"""Bits of typical int32 results, which are operands brought to one scale."""
_HEAD_ROOM = 20
"""Bits TFLite shifts operands left by before it rescales them."""

MODES: Mapping[str, type[requant.Requant]] = {
    "shift": requant.ShiftRequant,
    "mulshift31": requant.Mulshift31Requant,
    "tflite": requant.TfliteRequant,
    "f32": requant.FloatRequant,
    "f32_emul": requant.FloatRequant,
}
"""Names of the arithmetics, as contracts give them."""


def requantisation(
    sketch: Sketch, kinds: tuple[type[requant.Requant], ...], size: Size, want: Want
) -> requant.Requant:
    """A requantisation of elements of some size to the tensor wanted.

    Raises:
        Unsuited: The contract has none of these arithmetics.
    """
    modes = [mode for mode in sketch.contract.modes if MODES[mode] in kinds]
    if not modes or not want.dtype.is_integer:
        raise Unsuited
    mode = sketch.deck.pick("mode", modes)
    return _DRAWERS[mode](sketch, size, want, mode)


def _channels(sketch: Sketch, want: Want, *, many: bool) -> int:
    """Length of a parameter: 1, or the channels."""
    channels = want.shape[1] if len(want.shape) > 1 else 1
    return channels if many and channels > 1 and sketch.deck.pick("by channel", (0, 1)) else 1


def _clip(sketch: Sketch, dtype: DType, zero: int) -> Range:
    least, greatest = dtype.bounds
    clips = [clip for clip in sketch.contract.clips if least <= clip[0] and clip[1] <= greatest]
    if sketch.contract.clips:
        if not clips:
            raise Unsuited
        return sketch.deck.pick("clip", clips)
    top = min(greatest, zero + 96)
    return sketch.deck.pick("clip", ((least, greatest), (zero, greatest), (zero, top)))


def _zero_point(sketch: Sketch, dtype: DType) -> int:
    if not sketch.contract.zero_points or dtype is DType.INT32:
        return 0
    least, greatest = dtype.bounds
    return sketch.deck.pick("zero point", (0, least, greatest, 3, max(least, -7)))


def _gains(sketch: Sketch, size: Size, want: Want, count: int) -> npt.NDArray[np.float64]:
    """Factors that bring elements to about the size of the result's type."""
    goal = result_size(want.dtype).spread
    around = sketch.deck.rng.uniform(-1.5, 1.5, count)
    gains: npt.NDArray[np.float64] = goal / max(size.spread, 1e-6) * np.exp2(around)
    return gains


def result_size(dtype: DType) -> Size:
    """How large results are made: some beyond the range of a small type, none beyond int32's."""
    if dtype is DType.INT32:
        return Size(spread=2.0**WIDE_BITS, bound=2.0**31)
    return Size(spread=GOAL * dtype.bounds[1] / 127.0, bound=whole(dtype).bound)


def _shift(sketch: Sketch, size: Size, want: Want, mode: str) -> requant.Requant:
    del mode
    contract, deck = sketch.contract, sketch.deck
    length = _channels(sketch, want, many="channel" in (contract.multiplier, contract.shift))
    shifts = length if contract.shift == "channel" else 1
    muls = length if contract.multiplier == "channel" else 1
    gain = _gains(sketch, size, want, max(shifts, muls))
    fitting = deck.pick("scaling", ("fitting", "fitting", "any"))
    shift = _fitting_shift(sketch, gain[:shifts]) if fitting == "fitting" else _any(sketch, shifts)
    mul = _multipliers(sketch, size, gain[:muls], shift)
    add = _addends(sketch, size, mul, shift, _channels(sketch, want, many=True))
    lo, hi = _clip(sketch, want.dtype, 0)
    per_channel = max(mul.size, add.size, shift.size) > 1
    return requant.ShiftRequant(
        out=want.dtype, lo=lo, hi=hi, axis=1 if per_channel else None, mul=mul, add=add, shift=shift
    )


def _fitting_shift(sketch: Sketch, gain: npt.NDArray[np.float64]) -> Ints:
    """Shifts that bring results to size, with as many bits of multiplier as there can be."""
    least, greatest = sketch.contract.shift_range
    most = max(1, sketch.contract.multiplier_range[1])
    bits = sketch.deck.rng.uniform(0, log2(most)) if most > 1 else 0.0
    found: Ints = np.clip(np.rint(bits - np.log2(gain)), least, greatest).astype(np.int64)
    return found


def _any(sketch: Sketch, count: int) -> Ints:
    """Shifts over the whole range, each in turn."""
    least, greatest = sketch.contract.shift_range
    values = range(least, greatest + 1)
    return np.array([sketch.deck.pick("shift", values) for _ in range(count)], np.int64)


def _multipliers(sketch: Sketch, size: Size, gain: npt.NDArray[np.float64], shift: Ints) -> Ints:
    least, greatest = sketch.contract.multiplier_range
    room = 2.0 ** (min(sketch.contract.product_bits, 62) - 2) / max(size.bound, 1.0)
    greatest = max(least, min(greatest, floor(room)))
    if least == greatest:
        return np.array([greatest], np.int64)
    wanted = np.rint(gain * np.exp2(shift.astype(np.float64).max()))
    found: Ints = np.clip(wanted, max(least, 1), greatest).astype(np.int64)
    return found


def _addends(sketch: Sketch, size: Size, mul: Ints, shift: Ints, count: int) -> Ints:
    """Biases that move results about whatever the shift, half of them with the half that rounds."""
    bits = sketch.contract.bias_bits
    if not bits:
        return np.zeros(1, np.int64)
    wide = 2.0 ** min(sketch.contract.product_bits - 1, 61)
    room = wide - size.bound * float(np.abs(mul).max()) - 2.0 ** float(shift.max())
    reach = int(min(2.0 ** (float(shift.max()) + 6), 2.0 ** (bits - 1) - 1, max(room, 0.0)))
    half = (np.int64(1) << shift.max()) >> 1
    rounds = sketch.contract.rounding == "half-up" or sketch.deck.pick("half", (False, True))
    drawn = sketch.deck.rng.integers(-reach, reach, count, endpoint=True)
    least, greatest = signed_range(min(bits, 62))
    return np.clip(drawn + (half if rounds else 0), least, greatest).astype(np.int64)


def _mulshift31(sketch: Sketch, size: Size, want: Want, mode: str) -> requant.Requant:
    del mode
    length = _channels(sketch, want, many=True)
    mantissa, exponent = np.frexp(_gains(sketch, size, want, length))
    mul = np.minimum(np.rint(mantissa * 2.0**31), 2**31 - 1).astype(np.int64)
    zero = _zero_point(sketch, want.dtype)
    lo, hi = _clip(sketch, want.dtype, zero)
    return requant.Mulshift31Requant(
        out=want.dtype,
        lo=lo,
        hi=hi,
        axis=1 if length > 1 else None,
        mul=mul,
        shift=np.clip(31 - exponent, 1, 62).astype(np.int64),
        zero_point=zero,
    )


def _tflite(sketch: Sketch, size: Size, want: Want, mode: str) -> requant.Requant:
    del mode
    length = _channels(sketch, want, many=True)
    operand = want.dtype is DType.INT32 and size.bound <= 255
    gains = sketch.deck.rng.uniform(0.05, 0.99, length) if operand else None
    mantissa, exponent = np.frexp(_gains(sketch, size, want, length) if gains is None else gains)
    mul = np.minimum(np.rint(mantissa * 2.0**31), 2**31 - 1).astype(np.int64)
    zero = _zero_point(sketch, want.dtype)
    lo, hi = _clip(sketch, want.dtype, zero)
    return requant.TfliteRequant(
        out=want.dtype,
        lo=lo,
        hi=hi,
        axis=1 if length > 1 else None,
        mul=mul,
        exponent=np.clip(exponent, -31, 0).astype(np.int64),
        zero_point=zero,
        input_zero_point=sketch.deck.pick("operand zero", (0, -5, 100)) if operand else 0,
        left_shift=_HEAD_ROOM if operand else 0,
    )


def _float(sketch: Sketch, size: Size, want: Want, mode: str) -> requant.Requant:
    length = _channels(sketch, want, many=True)
    zero = _zero_point(sketch, want.dtype)
    lo, hi = _clip(sketch, want.dtype, zero)
    return requant.FloatRequant(
        out=want.dtype,
        lo=lo,
        hi=hi,
        axis=1 if length > 1 else None,
        scale=_gains(sketch, size, want, length).astype(np.float32),
        zero_point=zero,
        emulated=mode == "f32_emul",
    )


_DRAWERS: Mapping[str, Callable[[Sketch, Size, Want, str], requant.Requant]] = {
    "shift": _shift,
    "mulshift31": _mulshift31,
    "tflite": _tflite,
    "f32": _float,
    "f32_emul": _float,
}
