"""A source's bias and requantisation in the only arithmetic the digital core has.

The core computes ``sat8(relu((bias + sum w * x) >> shift))`` with int8 weights, one int32 bias a
channel and one shift a layer. A source's multipliers and per-channel shifts are taken into weights
and bias where that changes no result: multiplying by an integer is exact while the weights stay
int8, and ``(2 w x + b) >> s`` equals ``(w x + (b >> 1)) >> (s - 1)`` for whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from htvm.api import Array, requant

Ints = npt.NDArray[np.int64]

INPUT_LEAST = -128
INPUT_GREATEST = 127
_INT8 = (-128, 127)
_PROVABLE = 2**55
_INT32 = (-(2**31), 2**31 - 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Folded:
    """Weights, bias and shift as the core takes them.

    Attributes:
        weights: int8, the source's shape.
        bias: int32, ``(K,)``.
        shift: 0..31.
        relu: Whether negative results become 0.
    """

    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    shift: int
    relu: bool


@dataclass(frozen=True, kw_only=True)
class Unfoldable:
    """Why weights and requantisation cannot be brought to the core's form."""

    seen: str


def fold(
    weights: Array, bias: Array | None, op: requant.ShiftRequant, shift_max: int
) -> Folded | Unfoldable:
    """Bring one layer to the core's arithmetic, exactly or not at all.

    Args:
        weights: int8, first axis K.
        bias: int32 ``(K,)``, or None.
        op: The layer's requantisation.
        shift_max: Greatest shift of the core.
    """
    outputs = weights.shape[0]
    matrix = weights.reshape(outputs, -1).astype(np.int64)
    start = np.zeros(outputs, np.int64) if bias is None else bias.astype(np.int64)
    overflow = _first_outside(*accumulator_range(matrix, start))
    if overflow is not None:
        return Unfoldable(seen=f"the source's own accumulator can wrap: {overflow}")
    mul, add, shift = (np.broadcast_to(values, outputs) for values in (op.mul, op.add, op.shift))
    if int(np.abs(mul).max()) >= 2**31 or int(np.abs(add).max()) >= _PROVABLE:
        return Unfoldable(seen="the multiplier or the addend is wider than can be proved exact")
    scaled, total = matrix * mul[:, None], start * mul + add
    if int(np.abs(total).max()) >= _PROVABLE:
        return Unfoldable(seen=f"the bias reaches {int(np.abs(total).max())} before the shift")
    refusal = Unfoldable(seen=_describe(mul, shift))
    for common in _candidates(scaled, shift, shift_max):
        moved = _with_shift(scaled, total, shift, common, (op.lo, op.hi))
        if moved is None:
            continue
        overflow = _first_outside(*accumulator_range(*moved))
        if overflow is None:
            return _folded(weights.shape, moved, common, op)
        refusal = Unfoldable(seen=f"weights and bias can leave int32: {overflow}")
    return refusal


def _folded(
    shape: tuple[int, ...], moved: tuple[Ints, Ints], shift: int, op: requant.ShiftRequant
) -> Folded:
    return Folded(
        weights=moved[0].reshape(shape).astype(np.int8),
        bias=moved[1].astype(np.int32),
        shift=shift,
        relu=op.lo == 0,
    )


def accumulator_range(matrix: Ints, bias: Ints) -> tuple[Ints, Ints]:
    """Least and greatest accumulator of each output for inputs anywhere in int8.

    Args:
        matrix: Weights, ``(K, n)``.
        bias: ``(K,)``.
    """
    low, high = matrix * INPUT_LEAST, matrix * INPUT_GREATEST
    return np.minimum(low, high).sum(axis=1) + bias, np.maximum(low, high).sum(axis=1) + bias


def _first_outside(least: Ints, greatest: Ints) -> str | None:
    bad = np.flatnonzero((least < _INT32[0]) | (greatest > _INT32[1]))
    if bad.size == 0:
        return None
    channel = int(bad[0])
    return f"channel {channel} reaches {int(least[channel])}..{int(greatest[channel])}"


def _candidates(scaled: Ints, shift: Ints, shift_max: int) -> list[int]:
    """Common shifts to try: the source's own first, then all from small to large."""
    live = shift[scaled.any(axis=1)]
    wanted = int(live.max() if live.size else shift.max())
    return [value for value in (wanted, *range(shift_max + 1)) if value <= shift_max]


def _with_shift(
    scaled: Ints, total: Ints, shift: Ints, common: int, clip: tuple[int, int]
) -> tuple[Ints, Ints] | None:
    """Weights and bias that give the same results with one common shift, or None."""
    up = np.maximum(common - shift, 0)
    down = np.maximum(shift - common, 0)
    constant = ~scaled.any(axis=1)
    if np.any(up[~constant] > 7) or np.any(scaled & ((1 << down) - 1)[:, None]):
        return None
    small = np.minimum(up, 7)
    weights = (scaled << small[:, None]) >> down[:, None]
    if weights.size and (weights.min() < _INT8[0] or weights.max() > _INT8[1]):
        return None
    bias = (total << small) >> down
    value = np.clip(total >> shift, *clip)
    return weights, np.where(constant, value << common, bias)


def _describe(mul: Ints, shift: Ints) -> str:
    def span(values: Ints) -> str:
        least, greatest = int(values.min()), int(values.max())
        return str(least) if least == greatest else f"{least}..{greatest}"

    return f"multiplier {span(mul)}, shift {span(shift)}"
