"""Runs Python as users do: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits" / "digits.onnx"


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


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
