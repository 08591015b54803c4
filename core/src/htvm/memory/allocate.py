"""Assigns offsets to buffers so that those needed at one time do not overlap."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from htvm.memory.lifetimes import Lifetime

ATTEMPTS = 4000
"""Orders tried by the local search; every network known is at its bound long before."""

Offsets = tuple[int, ...]


def allocate(items: Sequence[Lifetime], bound_bytes: int) -> Offsets:
    """Offsets in bytes, one per item, that make the arena small.

    First fit in several orders by size and time; then, while the arena is above the bound, a
    local search that swaps places in the order, seeded so that every run finds the same.
    """
    clashes = _clashes(items)
    orders = [sorted(range(len(items)), key=key) for key in _keys(items)]
    best = min(orders, key=lambda order: _height(items, _fit(items, clashes, order)))
    if _height(items, _fit(items, clashes, best)) > bound_bytes:
        best = _search(items, clashes, best, bound_bytes)
    return _fit(items, clashes, best)


def arena_bytes(items: Sequence[Lifetime], offsets: Offsets) -> int:
    """Bytes from 0 to the end of the highest item."""
    return _height(items, offsets)


def _keys(items: Sequence[Lifetime]) -> tuple[Callable[[int], tuple[int, ...]], ...]:
    def size(at: int) -> tuple[int, ...]:
        return -items[at].size_bytes, items[at].first, at

    def area(at: int) -> tuple[int, ...]:
        item = items[at]
        return -item.size_bytes * (item.last - item.first + 1), item.first, at

    def lasting(at: int) -> tuple[int, ...]:
        item = items[at]
        return item.first - item.last, -item.size_bytes, at

    def time(at: int) -> tuple[int, ...]:
        return items[at].first, -items[at].size_bytes, at

    return size, area, lasting, time


def _clashes(items: Sequence[Lifetime]) -> list[list[int]]:
    return [
        [other for other, rival in enumerate(items) if other != at and item.overlaps(rival)]
        for at, item in enumerate(items)
    ]


def _fit(items: Sequence[Lifetime], clashes: list[list[int]], order: Sequence[int]) -> Offsets:
    """First fit: each item at the lowest offset free during its lifetime."""
    offsets = [-1] * len(items)
    for at in order:
        taken = sorted(
            (offsets[other], items[other].size_bytes)
            for other in clashes[at]
            if offsets[other] >= 0
        )
        place = 0
        for start, size in taken:
            if start - place >= items[at].size_bytes:
                break
            place = max(place, start + size)
        offsets[at] = place
    return tuple(offsets)


def _height(items: Sequence[Lifetime], offsets: Offsets) -> int:
    ends = (start + item.size_bytes for start, item in zip(offsets, items, strict=True))
    return max(ends, default=0)


def _search(
    items: Sequence[Lifetime], clashes: list[list[int]], start: list[int], bound_bytes: int
) -> list[int]:
    """Swap two items of the order at a time and keep what is not worse."""
    chance = random.Random(0)  # noqa: S311 - a search needs no secrets, only repeatability
    best = list(start)
    height = _height(items, _fit(items, clashes, best))
    for _ in range(ATTEMPTS):
        first, second = chance.randrange(len(best)), chance.randrange(len(best))
        order = list(best)
        order[first], order[second] = order[second], order[first]
        tried = _height(items, _fit(items, clashes, order))
        if tried <= height:
            best, height = order, tried
        if height <= bound_bytes:
            break
    return best
