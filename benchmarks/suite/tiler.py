"""The tiler of DIANA's digital core against plain loops over everything."""

from __future__ import annotations

from time import perf_counter

from benchmarks.diana import NETWORKS, cores, enumeration, problems
from benchmarks.result import Cell, Result
from htvm_diana.cycles import Core
from htvm_diana.problem import NoFit, Problem
from htvm_diana.tiling import choose

MOST_SECONDS = 0.5


def run() -> Result:
    """Tile every layer of four networks, every exact rewrite of it included."""
    cases = {network: list(problems(network)) for network in NETWORKS}
    rows = [
        _row(network, cases[network], model, core)
        for model, core in cores().items()
        for network in NETWORKS
    ]
    seconds = [
        sum(float(row["tiler ms"]) for row in rows if row["model"] == model) / 1e3
        for model in {row["model"] for row in rows}
    ]
    return Result(
        claim=(
            "Cycles of the tiler's choice over the fewest of any legal tile, loop order and "
            "residency, found by walking all of them step by step, under both public latency "
            "models; worst of all layers and rewrites. Expected: 1 everywhere, and less than "
            f"{MOST_SECONDS:g} s of tiling for the four networks."
        ),
        rows=rows,
        met=max(seconds) < MOST_SECONDS and all(row["worst ratio"] == 1 for row in rows),
    )


def _row(network: str, cases: list[tuple[str, Problem]], model: str, core: Core) -> dict[str, Cell]:
    start = perf_counter()
    chosen = [choose(problem, core) for _, problem in cases]
    tiling = perf_counter() - start
    cheapest = enumeration().cheapest
    distinct = {problem: choice for (_, problem), choice in zip(cases, chosen, strict=True)}
    start = perf_counter()
    ratios = [
        choice.cost.total / cheapest(problem, core)
        for problem, choice in distinct.items()
        if not isinstance(choice, NoFit)
    ]
    return {
        "network": network,
        "model": model,
        "layers": len({name for name, _ in cases}),
        "tilings": len(cases),
        "tiler ms": tiling * 1e3,
        "loops ms": (perf_counter() - start) * 1e3,
        "worst ratio": max(ratios),
    }
