"""Finds the loops in a list of calls, so that code size does not grow with the number of tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

MAX_BODY = 48
"""Longest body looked for; tiles are far shorter once their own loops are rolled."""

WORTH_STATEMENTS = 2
"""Statements a loop must save."""

Shape = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One statement: a template with ``{}`` for each number.

    Attributes:
        template: The text.
        numbers: What goes into it.
    """

    template: str
    numbers: tuple[int, ...] = ()

    @property
    def shape(self) -> Shape:
        """What two statements share that differ in numbers only."""
        return (self.template, len(self.numbers))

    @property
    def statements(self) -> int:
        """How many statements are written."""
        return 1

    def moved(self, by: Sequence[int], times: int) -> Call:
        """The same statement with each number changed ``times`` by its step."""
        moved = (number + times * step for number, step in zip(self.numbers, by, strict=True))
        return replace(self, numbers=tuple(moved))


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A body run several times, each number growing by its own step.

    Attributes:
        count: How often; once for statements that only belong together.
        body: The statements of the first run.
        steps: For each number of the body, in order, what one run adds.
    """

    count: int
    body: tuple[Item, ...]
    steps: tuple[int, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """All numbers of the body, in order."""
        return _numbers(self.body)

    @property
    def shape(self) -> Shape:
        """What two loops share that differ in their first numbers only."""
        return (self.count, self.steps, tuple(item.shape for item in self.body))

    @property
    def statements(self) -> int:
        """How many statements are written."""
        return sum(item.statements for item in self.body)

    def moved(self, by: Sequence[int], times: int) -> Loop:
        """The same loop with each number changed ``times`` by its step."""
        return replace(self, body=_moved(self.body, by, times))


Item = Call | Loop


def together(items: Sequence[Item]) -> Loop:
    """Items that loops take in as a whole or not at all."""
    body = tuple(items)
    return Loop(count=1, body=body, steps=(0,) * len(_numbers(body)))


def roll(items: Sequence[Item]) -> tuple[Item, ...]:
    """Items with runs that differ by constant steps turned into loops, inner loops first."""
    items = tuple(items)
    length = 1
    while length <= min(MAX_BODY, len(items) // 2):
        rolled = tuple(_rolled(items, length))
        length = 1 if len(rolled) < len(items) else length + 1
        items = rolled
    return items


def unroll(items: Sequence[Item]) -> tuple[Call, ...]:
    """The calls loops stand for, in order."""
    calls: list[Call] = []
    for item in items:
        if isinstance(item, Call):
            calls.append(item)
            continue
        for turn in range(item.count):
            calls += unroll(_moved(item.body, item.steps, turn))
    return tuple(calls)


def _rolled(items: tuple[Item, ...], length: int) -> Iterator[Item]:
    """Items with runs of period ``length`` turned into loops, from left to right."""
    shapes = [item.shape for item in items]
    at = 0
    while at < len(items):
        count, steps = _run(items, shapes, at, length)
        written = sum(item.statements for item in items[at : at + length])
        if (count - 1) * written < WORTH_STATEMENTS:
            yield items[at]
            at += 1
            continue
        yield Loop(count=count, body=items[at : at + length], steps=steps)
        at += count * length


def _run(
    items: tuple[Item, ...], shapes: list[Shape], at: int, length: int
) -> tuple[int, tuple[int, ...]]:
    """How often the ``length`` items at a position repeat, and by which steps."""
    first = shapes[at : at + length]
    if shapes[at + length : at + 2 * length] != first:
        return 1, ()
    last = _numbers(items[at : at + length])
    steps: tuple[int, ...] | None = None
    count = 1
    while shapes[at + count * length : at + (count + 1) * length] == first:
        found = _numbers(items[at + count * length : at + (count + 1) * length])
        change = tuple(new - old for new, old in zip(found, last, strict=True))
        if steps is not None and change != steps:
            break
        steps, last, count = change, found, count + 1
    return count, steps or ()


def _numbers(items: Sequence[Item]) -> tuple[int, ...]:
    return tuple(number for item in items for number in item.numbers)


def _moved(items: Sequence[Item], by: Sequence[int], times: int) -> tuple[Item, ...]:
    moved: list[Item] = []
    at = 0
    for item in items:
        size = len(item.numbers)
        moved.append(item.moved(by[at : at + size], times))
        at += size
    return tuple(moved)
