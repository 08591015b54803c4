"""Fair timing on a machine that has other things to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import thread_time

ROUNDS = 9
SECONDS_A_TURN = 0.05
_WARM_UP_CALLS = 2


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Something to be timed.

    Attributes:
        call: The work.
        prepare: What must happen before each call, not timed.
    """

    call: Callable[[], object]
    prepare: Callable[[], object] = lambda: None


def interleaved(contenders: Mapping[str, Contender]) -> dict[str, list[float]]:
    """Seconds a call, by contender: the median of each of its turns, turns taken in rotation.

    Whatever slows the machine down for a while slows all contenders down alike, so ratios within
    a round stay meaningful. Seconds are the thread's own: on a busy machine long calls are
    interrupted more often than short ones, which would flatter the fastest.
    """
    for contender in contenders.values():
        _calls(contender, _WARM_UP_CALLS)
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, contender in contenders.items():
            rounds[name].append(_turn(contender))
    return rounds


def ratio(slower: list[float], faster: list[float]) -> float:
    """The median over rounds of how many times longer one took than the other."""
    return median(a / b for a, b in zip(slower, faster, strict=True))


def _turn(contender: Contender) -> float:
    seconds: list[float] = []
    end = thread_time() + SECONDS_A_TURN
    while not seconds or thread_time() < end:
        seconds += _calls(contender, 1)
    return median(seconds)


def _calls(contender: Contender, count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        contender.prepare()
        start = thread_time()
        contender.call()
        seconds.append(thread_time() - start)
    return seconds
