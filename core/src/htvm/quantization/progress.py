"""Tells how far the work has come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from htvm.ir.graph import Node


def _ignore(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Whom to tell how the work goes on.

    Attributes:
        line: Called with what was found out, for people, in the order it is.
        status: Called with what is being done; every call replaces the one before.
        stage: What every status begins with.
    """

    line: Callable[[str], None] = _ignore
    status: Callable[[str], None] = _ignore
    stage: str = ""

    def at(self, stage: str) -> Listener:
        """The same, in a stage of the work."""
        return replace(self, stage=stage)

    def over(self, layers: Iterable[Node]) -> Iterator[Node]:
        """The layers, one after another, telling at which the work is."""
        every = tuple(layers)
        for number, layer in enumerate(every, start=1):
            self.status(f"{self.stage}: layer {number} of {len(every)}, {layer.name}")
            yield layer


SILENT = Listener()
"""Tells nobody."""
