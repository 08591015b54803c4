"""Ends a plug-in's answer that takes too long, where somebody waits who cannot press Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from htvm.errors import PluginError
from htvm.plugins.switches import TIMEOUT

_AGAIN_S = 1.0
"""Time until the next attempt, in case the plug-in caught the first."""


class NoAnswerError(PluginError):
    """A plug-in did not return in time: E618."""


class Patience:
    """How long each answer of a plug-in may take. After one that never came, none is waited for.

    Only the main thread of a system with interval timers can interrupt what runs in it; elsewhere
    answers take as long as they take.

    Attributes:
        seconds: For one answer; None for as long as it takes.
        lost: Why no answer is waited for any more, if that is so.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self.lost: NoAnswerError | None = None
        self._waiting = False

    @contextmanager
    def waiting(self, whose: str, what: str) -> Iterator[None]:
        """Wait for an answer. One that is part of another is part of its time too.

        Args:
            whose: The plug-in, for people: ``"target 'acme' of htvm-acme 1.0"``.
            what: What it is asked: ``"htvm_pack"``.

        Raises:
            NoAnswerError: E618, it took too long, or an earlier one did.
        """
        if self.lost is not None:
            raise self.lost
        if self._waiting or self.seconds is None or not _can_interrupt():
            yield
            return
        limit_s = self.seconds

        def give_up(number: int, frame: FrameType | None) -> None:
            del number
            if self._waiting:
                signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
                self.lost = self.lost or _no_answer(whose, what, limit_s, frame)
                raise self.lost

        usual = signal.signal(signal.SIGALRM, give_up)
        self._waiting = True
        before = signal.setitimer(signal.ITIMER_REAL, self.seconds)
        try:
            yield
        finally:
            self._waiting = False
            signal.setitimer(signal.ITIMER_REAL, *before)
            signal.signal(signal.SIGALRM, usual)


def _can_interrupt() -> bool:
    main = threading.current_thread() is threading.main_thread()
    return main and hasattr(signal, "setitimer")


def _no_answer(whose: str, what: str, seconds: float, frame: FrameType | None) -> NoAnswerError:
    place = f", then at {Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame else ""
    return NoAnswerError(
        f"{whose} does not come to an end in {what}",
        code="E618",
        seen=f"no answer within {seconds:g} s{place}",
        accepted="import, hooks and constraints that return",
        hint=f"{TIMEOUT}=SECONDS gives it longer",
    )
