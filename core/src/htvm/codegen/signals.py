"""Holds back Ctrl-C while something must not stop halfway."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def held_back() -> Iterator[list[int]]:
    """Collect the signals that ask the process to stop, and deliver them when the block ends.

    Signals reach the main thread only, so in another thread there is nothing to hold back.

    Yields:
        The signals that came so far: work that can still be given up looks here.
    """
    came: list[int] = []
    handlers = _handlers() if threading.current_thread() is threading.main_thread() else {}

    def collect(number: int, _: object) -> None:
        came.append(number)

    try:
        for number in handlers:
            signal.signal(number, collect)
        yield came
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def _handlers() -> dict[int, Any]:
    """The handlers in place, of those signals this system has and Python can put back."""
    numbers: list[int] = [getattr(signal, name) for name in _STOPPING if hasattr(signal, name)]
    found = {number: signal.getsignal(number) for number in numbers}
    return {number: handler for number, handler in found.items() if handler is not None}
