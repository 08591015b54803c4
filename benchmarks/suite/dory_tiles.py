"""DORY's tiles for DIANA's digital core against ours, under one cost model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import Any

import numpy as np

from benchmarks.diana import cores, dory_tiles, enumeration
from benchmarks.result import Cell, Result
from htvm.api import Engine, Offers
from htvm.plugins.session import open_session
from htvm_diana.cycles import Core
from htvm_diana.forms import Convolution
from htvm_diana.problem import NoFit, Problem, round_up, vector
from htvm_diana.rewrites.convolution import convolved
from htvm_diana.tiling import choose

Record = Mapping[str, Any]


def run() -> Result:
    """Cost DORY's tile of every layer, made legal, and the tiler's choice."""
    models, loops = cores(), enumeration()
    engine = open_session("diana").hardware.engines["digital"]
    rows = [_row(record, engine, models, loops) for record in dory_tiles()]
    worse = [
        row["layer"]
        for row in rows
        for name in models
        if float(row[f"{name} ours"]) > float(row[f"{name} dory"])
        or float(row[f"{name} rewritten"]) > float(row[f"{name} ours"])
    ]
    return Result(
        claim=(
            "Cycles of one layer under both public latency models. dory: the tile DORY chose, made "
            "legal (rows padded to 16 columns, channels to 16, or 4 if depthwise, shrunk until it "
            "fits) and run in the loop order and residency best for it. ours: the tiler's choice "
            "for the same layer. rewritten: the tiler's cheapest over the exact rewrites "
            "(depthwise on the diagonal, maps transposed, planes flattened), conversions of "
            "layout at the border of the network not counted. Expected: ours never above dory."
        ),
        rows=[*rows, _total(rows)],
        met=not worse,
    )


def _row(record: Record, engine: Engine, models: Mapping[str, Core], loops: Any) -> dict[str, Cell]:
    row: dict[str, Cell] = {"layer": record["name"]}
    for name, core in models.items():
        plain, *rewritten = _problems(record, engine, core)
        row[f"{name} dory"] = _repaired(record, plain, core, loops)
        row[f"{name} ours"] = ours = _cycles(plain, core)
        row[f"{name} rewritten"] = best = min([ours, *(_cycles(p, core) for p in rewritten)])
        row[f"{name} saved %"] = _saved(row[f"{name} dory"], best)
    return row


def _total(rows: list[dict[str, Cell]]) -> dict[str, Cell]:
    total: dict[str, Cell] = {"layer": "all layers"}
    for key in list(rows[0])[1:]:
        if not key.endswith("saved %"):
            total[key] = sum(int(row[key]) for row in rows)
    for name in [key.removesuffix(" dory") for key in total if key.endswith(" dory")]:
        total[f"{name} saved %"] = _saved(total[f"{name} dory"], total[f"{name} rewritten"])
    return {key: total[key] for key in rows[0]}


def _saved(before: Cell, after: Cell) -> float:
    return 100 * (1 - float(after) / float(before))


def _cycles(problem: Problem, core: Core) -> int:
    choice = choose(problem, core)
    if isinstance(choice, NoFit):
        raise RuntimeError(f"{problem.kind} does not fit: {choice.reason}")
    return choice.cost.total


def _problems(record: Record, engine: Engine, core: Core) -> Iterator[Problem]:
    """The layer as it stands, then rewritten."""
    spec = record["spec"]
    if record["kind"] == "dense":
        yield Problem(kind="dense", inputs=(vector(spec["in"]),), output=vector(spec["out"]))
    elif record["kind"] == "add":
        channels, rows, columns = spec["in"]
        length = channels * rows * round_up(columns, 16)
        yield Problem(kind="sum", inputs=(vector(length),) * 2, output=vector(length))
    else:
        form = _convolution(spec)
        for one in convolved(form, Offers(inputs=((),)), engine, core.weight_bytes):
            if not isinstance(choose(one.problem, core), NoFit):
                yield one.problem


def _convolution(spec: Record) -> Convolution:
    inputs, outputs = tuple(spec["in"]), tuple(spec["out"])
    kernel, groups = tuple(spec["k"]), spec["group"]
    return Convolution(
        weights=np.ones((outputs[0], inputs[0] // groups, *kernel), np.int8),
        bias=np.zeros(outputs[0], np.int32),
        shift=8,
        relu=spec["relu"],
        input_shape=inputs,
        output_shape=outputs,
        stride=tuple(spec["strides"]),
        pad=tuple(spec["pads"][:2]),
        groups=groups,
    )


def _repaired(record: Record, problem: Problem, core: Core, loops: Any) -> int:
    """Cycles of the legal tile nearest to DORY's: the cheaper of shrunk in rows, in channels."""
    one = {
        "dense": loops.cheapest_dense,
        "add": loops.cheapest_sum,
        "conv": loops.cheapest_conv,
    }[record["kind"]]
    found = []
    for sizes in _ways_to_shrink(record, problem):
        costs = (one(problem, core, [size]) for size in sizes)
        found.append(next((int(cost) for cost in costs if cost is not None), None))
    return min(cost for cost in found if cost is not None)


def _ways_to_shrink(record: Record, problem: Problem) -> Iterator[Iterable[Any]]:
    """DORY's tile in whole groups of 16 and then ever smaller ones, for each way to make it so."""
    shape = record["L1"]["o"]
    if record["kind"] == "dense":
        yield (round_up(shape[0], 16),)
    elif record["kind"] == "add":
        yield range(round_up(prod(shape[:2]) * round_up(shape[2], 16), 32), 0, -32)
    else:
        step = 4 if problem.kind == "depthwise" else 16
        channels, width = round_up(shape[0], step), problem.output.columns
        rows = min(shape[1], problem.output.rows)
        yield ((width, fewer, channels) for fewer in range(rows, 0, -1))
        yield ((width, rows, fewer) for fewer in range(channels, 0, -step))
