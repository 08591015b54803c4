"""A check: a name, what holds when it passes, and how to find out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from htvm.testing.outcome import Verdict
from htvm.testing.subject import Subject


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of the kit.

    Attributes:
        name: ``"tiling.covers"``; expected failures name it.
        level: 0 to 5.
        title: What holds when it passes.
        where: Where to look when it fails.
        run: Finds out.
    """

    name: str
    level: int
    title: str
    where: str
    run: Callable[[Subject], Verdict]


def counted(count: int, one: str, many: str = "") -> str:
    """``"1 layer"``, ``"7 layers"``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
