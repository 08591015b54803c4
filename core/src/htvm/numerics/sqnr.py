"""Signal to quantisation noise, the one measure of how near numbers are to those wanted."""

from __future__ import annotations

from math import log10

_LEAST_SIGNAL = 1e-30


def decibels(signal: float, noise: float) -> float | None:
    """A ratio of powers in dB; None where there is no noise.

    Powers are squares about 0, not about a mean: the mean is signal, too.

    Args:
        signal: Power of the numbers wanted, their mean square or the sum of their squares.
        noise: The same of the differences from them.
    """
    if noise <= 0:
        return None
    return 10 * log10(max(signal, _LEAST_SIGNAL) / noise)
