"""Lets processes that write below one folder take turns."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # a system without file locks: the last writer wins
    fcntl = None  # type: ignore[assignment]


@contextmanager
def our_turn(folder: Path) -> Iterator[None]:
    """Keep other runs of htvm from writing in ``folder`` until the block ends.

    The lock is the kernel's and leaves no file behind. Where the folder or its file system cannot
    be locked, the block runs without.
    """
    held = _lock(folder)
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def _lock(folder: Path) -> int | None:
    if fcntl is None:
        return None
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        with suppress(OSError):
            fcntl.flock(opened, fcntl.LOCK_EX)
        return opened
    return None
