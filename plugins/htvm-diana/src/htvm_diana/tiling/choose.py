"""The tiler: from a layer to its cheapest schedule, or the reason there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from htvm.api import Cost
from htvm_diana.cycles import Core
from htvm_diana.problem import Choice, NoFit, Problem, TilePlan
from htvm_diana.tiling.build import plan, regions, tile_plans
from htvm_diana.tiling.candidate import Candidate, describe
from htvm_diana.tiling.rank import candidates, explain_no_fit
from htvm_diana.tiling.vectors import (
    VectorPlan,
    dense_plans,
    explain_dense,
    explain_sum,
    sum_plans,
)


def choose(problem: Problem, core: Core) -> Choice | NoFit:
    """Find the schedule with the fewest cycles.

    Every legal tile, loop order and residency is costed. Of equals the one with fewer tiles wins,
    then the wider, then the simpler policy, then the larger tile.

    Args:
        problem: The layer.
        core: The numbers of the digital core.
    """
    if problem.kind == "dense":
        return _choose_vector(problem, core, dense_plans, explain_dense)
    if problem.kind == "sum":
        return _choose_vector(problem, core, sum_plans, explain_sum)
    ranked = sorted(candidates(core, problem), key=lambda found: (found.cycles, found.tiles))
    if not ranked:
        return explain_no_fit(core, problem)
    described = ((found.cycles, describe(problem, found)) for found in ranked)
    return realise(problem, core, ranked[0], runner_up=_runner_up(described))


def realise(problem: Problem, core: Core, candidate: Candidate, *, runner_up: str = "") -> Choice:
    """Spell a candidate out."""
    shared = plan(core, problem, candidate)
    source, output, weights = regions(shared)
    tiles = tuple(tile_plans(shared))
    return Choice(
        problem=problem,
        tiles=tiles,
        inputs=(source,),
        output=output,
        weights=weights,
        cost=cost_of(core, tiles),
        summary=describe(problem, candidate),
        runner_up=runner_up,
    )


def cost_of(core: Core, tiles: Iterable[TilePlan]) -> Cost:
    """Cycles of a schedule, step by step; nothing overlaps."""
    moves = [move for tile in tiles for move in (*tile.loads, *tile.stores)]
    jobs = [job for tile in tiles for job in tile.jobs]
    compute = sum(job.cycles for job in jobs)
    transfer = sum(move.cycles for move in moves)
    overhead = core.step_cycles * (len(moves) + len(jobs))
    return Cost(
        total=compute + transfer + overhead, compute=compute, transfer=transfer, overhead=overhead
    )


def _runner_up(ranked: Iterator[tuple[int, str]]) -> str:
    """The cheapest of (cycles, description) that costs more than the first."""
    best, _ = next(ranked)
    text = "no other tile is legal"
    for cycles, other in ranked:
        if cycles > best:
            return f"{other}: {cycles:,} cycles, {100 * (cycles - best) / best:.1f} % more"
        text = "every other legal tile costs the same"
    return text


def _choose_vector(
    problem: Problem,
    core: Core,
    plans: Callable[[Core, Problem], Iterable[VectorPlan]],
    explain: Callable[[Core, Problem], NoFit],
) -> Choice | NoFit:
    def cycles(found: VectorPlan) -> tuple[int, int]:
        return cost_of(core, found.tiles).total, len(found.tiles)

    ranked = sorted(plans(core, problem), key=cycles)
    if not ranked:
        return explain(core, problem)
    best = ranked[0]
    described = ((cycles(found)[0], _describe_vector(problem, found)) for found in ranked)
    return Choice(
        problem=problem,
        tiles=best.tiles,
        inputs=best.inputs,
        output=best.output,
        weights=best.weights,
        cost=cost_of(core, best.tiles),
        summary=_describe_vector(problem, best),
        runner_up=_runner_up(described),
    )


def _describe_vector(problem: Problem, found: VectorPlan) -> str:
    what = "K=" if problem.kind == "dense" else ""
    text = f"{found.size} of {problem.k}" if found.size < problem.k else f"{problem.k}"
    return f"{what}{text}" + (", output stored whole" if found.kept else "")
