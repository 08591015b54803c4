"""Ends a worker that makes no progress."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_EVERY_S = 0.5


class Watch:
    """Whether a worker stood still too long.

    Attributes:
        limit_s: Seconds it may spend in one layer of one inference.
        expired: Whether it spent more, and was ended for it.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.expired = False

    @contextmanager
    def over(self, process: subprocess.Popen[bytes], progress: Path) -> Iterator[None]:
        """Watch while the worker answers one batch.

        Args:
            process: The worker; killed when the limit has passed without progress.
            progress: The file in which it notes the layer and the inference it is at.
        """
        answered = threading.Event()
        thread = threading.Thread(
            target=self._look, args=(process, progress, answered), daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            answered.set()
            thread.join()

    def _look(
        self, process: subprocess.Popen[bytes], progress: Path, answered: threading.Event
    ) -> None:
        place, since = progress.read_bytes(), time.monotonic()
        while not answered.wait(min(_LOOK_EVERY_S, self.limit_s)):
            now = progress.read_bytes()
            if now != place:
                place, since = now, time.monotonic()
            elif time.monotonic() - since >= self.limit_s:
                self.expired = True
                process.kill()
                return
