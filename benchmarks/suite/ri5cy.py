"""The cycle model of htvm-cpu against generated kernels run instruction by instruction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

from benchmarks.result import Cell, Result
from benchmarks.ri5cy.image import Count, Counter, emitted, tilings
from benchmarks.ri5cy.layers import soft_sweep, sweep
from htvm.api import Layer, Offers, Tiling
from htvm_cpu.cycles import MEAN_ERROR, WORST_ERROR

_LEAST_CYCLES = 2000
"""Below, the few cycles around a layer decide, and nobody minds."""

_Case = tuple[Layer, Tiling, Count, int]
"""With the code size estimated."""


def run() -> Result:
    """Count a sweep of layers and compare with what the model says."""
    with TemporaryDirectory() as folder:
        counter = Counter.build(Path(folder))
        with ThreadPoolExecutor(2) as pool:
            work = [(layer, True) for layer in sweep()] + [(layer, False) for layer in soft_sweep()]
            cases = list(pool.map(lambda item: _case(counter, *item), enumerate(work)))
    cases = [case for case in cases if case[2].cycles >= _LEAST_CYCLES]
    kinds = dict.fromkeys(layer.name for layer, *_ in cases)
    rows = [_row(kind, [case for case in cases if case[0].name == kind]) for kind in kinds]
    rows.append(_row("all", cases))
    met = float(rows[-1]["mean %"]) <= 100 * MEAN_ERROR
    met = met and float(rows[-1]["worst %"]) <= 100 * WORST_ERROR
    return Result(
        claim=(
            "Cycles of generated kernels, compiled for RV32IMF (RV32IM where there is no FPU) at "
            "-O2 and counted on a model of the RI5CY core, against htvm-cpu's cycle model. "
            "Expected: no further off than the "
            f"model claims, {100 * MEAN_ERROR:g} % on average and {100 * WORST_ERROR:g} % at worst."
        ),
        rows=rows,
        met=met,
    )


def _case(counter: Counter, number: int, work: tuple[Layer, bool]) -> _Case:
    layer, fpu = work
    tiling = tilings(layer, Offers(inputs=((),) * len(layer.inputs)), fpu=fpu)[0]
    count = counter.count(layer, tiling, f"layer{number}", fpu=fpu)
    return layer, tiling, count, emitted(layer, tiling, fpu=fpu).size_bytes


def _row(kind: str, cases: list[_Case]) -> dict[str, Cell]:
    errors = [abs(tiling.cost.total / count.cycles - 1) for _, tiling, count, _ in cases]
    estimates = [estimate / count.code_bytes for _, _, count, estimate in cases]
    return {
        "kernel": kind,
        "layers": len(cases),
        "mean %": 100 * mean(errors),
        "worst %": 100 * max(errors),
        "code estimate / code": mean(estimates),
    }
