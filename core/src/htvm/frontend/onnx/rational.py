"""Exact integer arithmetic for networks whose floats hold whole numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from htvm.ir.requant import Ints
from htvm.ir.tensor import Array

_LIMIT = 2**62
_MOST_SHIFT = 62


def whole_numbers(array: Array) -> Ints | None:
    """The array as integers, or None if it holds anything else."""
    flat = array.astype(np.float64)
    if not bool(np.isfinite(flat).all()) or bool((flat != np.rint(flat)).any()):
        return None
    return flat.astype(np.int64) if bool((np.abs(flat) < _LIMIT).all()) else None


def over_power_of_two(array: Array) -> tuple[Ints, int] | None:
    """Integers and one power of two whose quotients are exactly these floats, if they fit."""
    flat = array.astype(np.float64)
    if not bool(np.isfinite(flat).all()):
        return None
    denominators = [Fraction(float(value)).denominator for value in flat.reshape(-1)]
    common = max(denominators, default=1)
    integers = whole_numbers(flat * common) if common <= _LIMIT else None
    return None if integers is None else (integers, common)


def floor_by_shift(divisor: int, least: int, most: int) -> tuple[int, int, int] | None:
    """``(mul, add, shift)`` with ``(v*mul + add) >> shift == floor(v / divisor)`` on a range.

    With ``u = v - base*divisor``, ``base = floor(least / divisor)``, every ``u`` is at least 0
    and ``mul = (2**shift + e) / divisor`` with ``0 <= e < divisor``. Then ``u*mul / 2**shift``
    exceeds ``u / divisor`` by ``u*e / (divisor * 2**shift)``; as long as ``u*e < 2**shift`` that is
    less than ``1 / divisor``, too little to reach the next integer. ``base`` goes into ``add``.

    Args:
        divisor: Above 0.
        least: Least value the formula must hold for.
        most: Greatest such value.

    Returns:
        The smallest such shift, or None if none keeps every product below 2**62.
    """
    base = least // divisor
    for shift in range(_MOST_SHIFT + 1):
        mul = -(-(1 << shift) // divisor)
        error = mul * divisor - (1 << shift)
        if (most - base * divisor) * error >= 1 << shift:
            continue
        add = -base * error
        if max(abs(least), abs(most)) * mul + abs(add) >= _LIMIT:
            return None
        return mul, add, shift
    return None
