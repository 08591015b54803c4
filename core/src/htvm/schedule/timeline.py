"""Reads the cycles of a layer off its tile program."""

from __future__ import annotations

from dataclasses import dataclass

from htvm.target.layer import Cost
from htvm.target.program import Launch, Program, Transfer, Wait


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A step on the timeline.

    Attributes:
        queue: Where it ran.
        label: What it was.
        tile: Label of its tile.
        start: First cycle.
        end: Cycle after the last.
    """

    queue: str
    label: str
    tile: str
    start: int
    end: int


def bars(program: Program) -> tuple[Bar, ...]:
    """Every transfer and job with its time.

    The host issues steps in order, ``host_cycles`` each. A queue runs one step at a time, in the
    order issued. A wait holds the host until the queue is empty.
    """
    return _play(program)[0]


def timeline(program: Program) -> Cost:
    """The layer's cycles: when the host is through, and the sums of the parts."""
    steps = program.steps
    return Cost(
        total=_play(program)[1],
        compute=sum(step.cycles for step in steps if isinstance(step, Launch)),
        transfer=sum(step.cycles for step in steps if isinstance(step, Transfer)),
        overhead=program.host_cycles * len(steps),
    )


def _play(program: Program) -> tuple[tuple[Bar, ...], int]:
    """The bars, and the cycle at which the host has issued and waited for everything."""
    now = 0
    free: dict[str, int] = {}
    found = []
    for tile in program.tiles:
        for step in tile.steps:
            now += program.host_cycles
            idle = free.get(step.queue, 0)
            if isinstance(step, Wait):
                now = max(now, idle)
                continue
            start = max(now, idle)
            free[step.queue] = start + step.cycles
            found.append(_bar(step, tile.label, start))
    return tuple(found), now


def _bar(step: Transfer | Launch, tile: str, start: int) -> Bar:
    label = step.kind if isinstance(step, Launch) else _moved(step)
    return Bar(queue=step.queue, label=label, tile=tile, start=start, end=start + step.cycles)


def _moved(step: Transfer) -> str:
    return f"{step.source.buffer} to {step.destination.buffer}"
