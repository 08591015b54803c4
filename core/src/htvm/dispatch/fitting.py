"""Gives bytes of constants a price until the network fits the main memory."""

from __future__ import annotations

from collections.abc import Callable

from htvm.dispatch.plan import Dispatch
from htvm.memory.estimate import estimate_bytes
from htvm.target.hardware import Hardware

PRICES = tuple(4.0**power for power in range(-4, 5))
"""Cycles for a byte of constants, tried in order."""
BISECTIONS = 8
"""Steps towards the lowest price that fits, once one is found."""


def fastest_that_fits(plan: Callable[[float], Dispatch], hardware: Hardware) -> Dispatch:
    """The plan at the lowest price at which it fits; the fastest one if none does.

    Args:
        plan: The best plan when a byte of constants costs so many cycles.
        hardware: The chip.
    """
    capacity = hardware.main.size_bytes
    fastest = plan(0.0)
    if estimate_bytes(fastest, hardware) <= capacity:
        return fastest
    below = 0.0
    for price in PRICES:
        found = plan(price)
        if estimate_bytes(found, hardware) <= capacity:
            return _refined(plan, hardware, below, price, found)
        below = price
    return fastest


def _refined(
    plan: Callable[[float], Dispatch], hardware: Hardware, low: float, high: float, found: Dispatch
) -> Dispatch:
    """Close in on the lowest price that fits, between one that does not and one that does."""
    best = found
    for _ in range(BISECTIONS):
        price = (low + high) / 2
        tried = plan(price)
        if estimate_bytes(tried, hardware) <= hardware.main.size_bytes:
            high = price
            best = min(best, tried, key=lambda item: item.cycles)
        else:
            low = price
    return best
