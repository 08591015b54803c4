"""The arena against the most bytes that are live at once."""

from __future__ import annotations

from pathlib import Path

from benchmarks.networks import official_int8
from benchmarks.result import Cell, Result
from htvm.deploying import deploy

MOST_RATIO = 1.05


def run() -> Result:
    """Plan the main memory of every official int8 network on the target cpu."""
    rows = [_row(name, path) for name, path in official_int8().items()]
    return Result(
        claim=(
            "Peak arena on the target cpu, kernels' scratch included, against its lower bound, "
            f"the most bytes live at one step. Expected: at most {MOST_RATIO:g} times."
        ),
        rows=rows,
        met=all(float(row["arena / bound"]) <= MOST_RATIO for row in rows),
    )


def _row(name: str, path: Path) -> dict[str, Cell]:
    plan = deploy(path, target="cpu", verify=False).run.memory
    if plan is None:
        raise RuntimeError("deploy ended before it had planned the memory")
    return {
        "network": name,
        "arena bytes": plan.arena_bytes,
        "bound bytes": plan.lower_bound_bytes,
        "arena / bound": plan.arena_bytes / plan.lower_bound_bytes,
    }
