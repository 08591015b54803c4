"""How long a person waits: the whole command, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.networks import integer_forms
from benchmarks.result import Cell, Result

GOALS_S = {"resnet8": 5.0, "vww": 10.0}


def run() -> Result:
    """Deploy the integer networks to DIANA with an empty cache, verification included."""
    rows = [_row(name, path) for name, path in integer_forms().items()]
    return Result(
        claim=(
            "Seconds of one `htvm deploy --target diana` with verification on 2 cores, nothing "
            "cached. Goal: "
            + ", ".join(f"{name} under {limit:g} s" for name, limit in GOALS_S.items())
            + "."
        ),
        rows=rows,
        met=all(float(row["seconds"]) < GOALS_S.get(str(row["network"]), 60.0) for row in rows),
    )


def _row(name: str, path: Path) -> dict[str, Cell]:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "htvm.cli.main", "deploy", str(path), "-t", "diana"]
        start = time.perf_counter()
        subprocess.run(
            [*command, "-o", f"{scratch}/out"],
            check=True,
            capture_output=True,
            env={"HTVM_CACHE": f"{scratch}/cache", "PATH": "/usr/bin:/bin"},
        )
        return {"network": name, "seconds": time.perf_counter() - start}
