"""A simulator or board that runs the generated project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, eq=False)
class Runner:
    """Runs a project's golden test where the device files can run.

    Attributes:
        name: ``"GVSoC"``, ``"the board on /dev/ttyUSB0"``.
        run: Builds and runs ``test/main.c`` of the project in a folder, and gives what it printed:
            ``PASS <network>`` when the output is right. ``make board`` with the chip's compiler and
            ``LDFLAGS`` links it as ``build/device/<network>_test``.
        missing: Why it cannot run on this machine, such as a tool that is not installed; empty if
            it can.
    """

    name: str
    run: Callable[[Path], str]
    missing: str = ""
