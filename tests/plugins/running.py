"""Runs Python as users do: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from shell import Outcome


def python(site: Path, *arguments: object, env: Mapping[str, str] | None = None) -> Outcome:
    """Run Python with a folder of distributions on its path."""
    done = subprocess.run(
        [sys.executable, "-P", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(site), **(env or {})},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
