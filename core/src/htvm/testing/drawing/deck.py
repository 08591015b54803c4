"""Random choices that leave nothing out: every value comes up before any comes up again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


class Deck:
    """A seeded generator that deals the values of each choice evenly.

    Attributes:
        rng: For everything that need not be even, such as weights.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self._dealt: Counter[tuple[str, str, int]] = Counter()

    def pick(self, choice: str, values: Sequence[Item]) -> Item:
        """One of the values that this choice has dealt least often; what is listed twice, twice."""
        seen: Counter[str] = Counter()
        cards = []
        for text in map(repr, values):
            seen[text] += 1
            cards.append((choice, text, seen[text]))
        counts = [self._dealt[card] for card in cards]
        rarest = [at for at, count in enumerate(counts) if count == min(counts)]
        chosen = rarest[int(self.rng.integers(len(rarest)))]
        self._dealt[cards[chosen]] += 1
        return values[chosen]

    def often(self, choice: str, likely: Item, *others: Item) -> Item:
        """The likely value half of the time, else one of the others."""
        return likely if self.pick(f"{choice}?", (True, False)) else self.pick(choice, others)

    def extent(self, choice: str, most: int) -> int:
        """A size of at most ``most``: around powers of two, where kernels have their corners."""
        found = tuple(size for size in EXTENTS if size <= most)
        return self.pick(choice, found or (1,))


EXTENTS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 25, 31, 32, 33, 48, 63, 64, 65)
"""Sizes tried for every axis."""
