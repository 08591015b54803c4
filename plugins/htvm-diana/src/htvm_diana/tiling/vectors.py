"""Dense layers and element-wise sums: tiles are ranges of a vector.

A dense layer's output lies in front of its input in L1, so that a store whose length is rounded up
reads on into bytes that were brought.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htvm_diana.cycles import CHUNK_BYTES, LANES, Core, dense_cycles, sum_cycles, transfer_cycles
from htvm_diana.problem import (
    Job,
    Move,
    MoveKind,
    NoFit,
    Planes,
    Problem,
    Region,
    TilePlan,
    round_up,
)
from htvm_diana.tiling.weights import weight_bytes, weight_offset


@dataclass(frozen=True, kw_only=True)
class VectorPlan:
    """A schedule of a dense layer or a sum.

    Attributes:
        size: Elements of the output a tile makes; the last may make fewer.
        kept: Whether the output is stored once, when all of it is there.
        tiles: The tiles.
        inputs: L1 of each input.
        output: L1 of the output.
        weights: Weight memory.
    """

    size: int
    kept: bool
    tiles: tuple[TilePlan, ...]
    inputs: tuple[Region, ...]
    output: Region
    weights: Region


def dense_plans(core: Core, problem: Problem) -> Iterator[VectorPlan]:
    """All legal schedules of a dense layer; the input is brought once, outputs are tiled."""
    total, source = problem.k, problem.inputs[0]
    inputs = round_up(problem.c, CHUNK_BYTES)
    for size in range(round_up(total, LANES), 0, -LANES) if _movable(source) else ():
        weights = weight_bytes(problem, 0, min(size, total))
        for kept in (True, False) if size < total else (False,):
            held = round_up(total if kept else min(size, total), LANES)
            apart = size % CHUNK_BYTES == 0 or size >= total
            fits = weights <= core.weight_bytes and inputs + held <= core.l1_bytes
            if fits and (kept or apart) and _movable(problem.output):
                yield _dense_plan(core, problem, min(size, total), kept)


def explain_dense(core: Core, problem: Problem) -> NoFit:
    """Why a dense layer has no schedule."""
    outputs = min(LANES, problem.k)
    least = weight_bytes(problem, 0, outputs)
    if least > core.weight_bytes:
        what = f"{outputs} outputs"
        return _too_large(what, "weights", "weight memory", least, core.weight_bytes)
    outputs = min(CHUNK_BYTES, problem.k)
    needed = round_up(problem.c, CHUNK_BYTES) + round_up(outputs, LANES)
    if needed > core.l1_bytes:
        what = f"{problem.c} inputs and {outputs} outputs"
        return _too_large(what, "l1", "L1", needed, core.l1_bytes)
    return _no_room((*problem.inputs, problem.output))


def sum_plans(core: Core, problem: Problem) -> Iterator[VectorPlan]:
    """The cheapest schedule of a sum, and the next that costs more."""
    moved = round_up(problem.k, CHUNK_BYTES)
    largest = min(core.l1_bytes // 3 // CHUNK_BYTES * CHUNK_BYTES, moved)
    if not all(_movable(planes) for planes in (*problem.inputs, problem.output)):
        return
    sizes = np.arange(largest, 0, -CHUNK_BYTES)
    cycles = _sum_costs(core, moved, sizes)
    for total in np.unique(cycles)[:2]:
        yield _sum_plan(core, problem, int(sizes[np.argmax(cycles == total)]))


def _sum_costs(core: Core, moved: int, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cycles of a sum for every tile size."""
    count = -(-moved // sizes)

    def tile(length: NDArray[np.int64]) -> NDArray[np.int64]:
        moves = 3 * (transfer_cycles(core, length, 1) + core.step_cycles)
        return np.asarray(moves + sum_cycles(core, length) + core.step_cycles)

    return (count - 1) * tile(sizes) + tile(moved - (count - 1) * sizes)


def _sum_plan(core: Core, problem: Problem, size: int) -> VectorPlan:
    parts = [Region(offset_bytes=index * size, size_bytes=size) for index in range(3)]
    spans = _cut(problem.k, size)
    return VectorPlan(
        size=min(size, problem.k),
        kept=False,
        tiles=tuple(_sum_tile(core, problem, span, size) for span in spans),
        inputs=(parts[0], parts[1]),
        output=parts[2],
        weights=Region(offset_bytes=0, size_bytes=0),
    )


def explain_sum(core: Core, problem: Problem) -> NoFit:
    """Why a sum has no schedule."""
    needed = 3 * CHUNK_BYTES
    if core.l1_bytes < needed:
        what = "32 elements of two inputs and the output"
        return _too_large(what, "l1", "L1", needed, core.l1_bytes)
    return _no_room((*problem.inputs, problem.output))


def _cut(total: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, total)) for start in range(0, total, size)]


def _movable(planes: Planes) -> bool:
    """Whether the vector's length rounded up to whole transfer units stays in its buffer."""
    return planes.offset_bytes + round_up(planes.columns, CHUNK_BYTES) <= planes.size_bytes


def _dense_plan(core: Core, problem: Problem, size: int, kept: bool) -> VectorPlan:
    source, total = problem.inputs[0], problem.k
    length = round_up(problem.c, CHUNK_BYTES)
    base = round_up(total if kept else size, LANES)
    brought = _piece(core, "load", main=source.offset_bytes, local=base, length=length)
    tiles = []
    for span in _cut(total, size):
        first = 0 if kept else base - round_up(span[1] - span[0], LANES)
        weights = _piece(
            core,
            "weights",
            main=weight_offset(problem, span[0]),
            local=0,
            length=weight_bytes(problem, *span),
        )
        tiles.append(
            TilePlan(
                k=span,
                loads=(brought, weights) if span[0] == 0 else (weights,),
                jobs=(_dense_job(core, problem, span, base, first + (span[0] if kept else 0)),),
                stores=tuple(_dense_stores(core, problem, span, first, kept)),
            )
        )
    return VectorPlan(
        size=size,
        kept=kept,
        tiles=tuple(tiles),
        inputs=(Region(offset_bytes=base, size_bytes=length),),
        output=Region(offset_bytes=0, size_bytes=round_up(base, CHUNK_BYTES)),
        weights=Region(offset_bytes=0, size_bytes=weight_bytes(problem, 0, size)),
    )


def _dense_job(core: Core, problem: Problem, span: tuple[int, int], source: int, out: int) -> Job:
    outputs = span[1] - span[0]
    return Job(
        kind="dense",
        input=source,
        output=out,
        output_bytes=round_up(outputs, LANES),
        weight_bytes=weight_bytes(problem, *span),
        c=problem.c,
        k=outputs,
        cycles=dense_cycles(core, problem.c, outputs),
        macs=problem.macs * outputs // problem.k,
    )


def _dense_stores(
    core: Core, problem: Problem, span: tuple[int, int], first: int, kept: bool
) -> Iterator[Move]:
    if kept and span[1] < problem.k:
        return
    start = 0 if kept else span[0]
    length = round_up(span[1] - start, CHUNK_BYTES)
    main = problem.output.offset_bytes + start
    yield _piece(core, "store", main=main, local=first, length=length)


def _sum_tile(core: Core, problem: Problem, span: tuple[int, int], held: int) -> TilePlan:
    start, length = span[0], span[1] - span[0]
    moved = round_up(length, CHUNK_BYTES)
    loads = tuple(
        _piece(
            core,
            "load",
            operand=index,
            main=planes.offset_bytes + start,
            local=index * held,
            length=moved,
        )
        for index, planes in enumerate(problem.inputs)
    )
    job = Job(
        kind="sum",
        input=0,
        input2=held,
        output=2 * held,
        output_bytes=moved,
        c=moved,
        k=moved,
        cycles=sum_cycles(core, moved),
    )
    main = problem.output.offset_bytes + start
    return TilePlan(
        k=span,
        loads=loads,
        jobs=(job,),
        stores=(_piece(core, "store", main=main, local=2 * held, length=moved),),
    )


def _piece(
    core: Core, kind: MoveKind, *, operand: int = 0, main: int, local: int, length: int
) -> Move:
    return Move(
        kind=kind,
        operand=operand,
        main_bytes=main,
        local_bytes=local,
        chunk_bytes=length,
        cycles=int(transfer_cycles(core, length, 1)),
    )


def _too_large(what: str, memory: str, name: str, needed: int, available: int) -> NoFit:
    return NoFit(
        reason=f"{what} need {needed} bytes of {name}, it has {available}",
        memory=memory,
        needed_bytes=needed,
        available_bytes=available,
    )


def _no_room(vectors: Iterable[Planes]) -> NoFit:
    tight = next(planes for planes in vectors if not _movable(planes))
    end = tight.offset_bytes + tight.columns
    reason = (
        f"transfers move multiples of {CHUNK_BYTES} bytes, but a vector ends at byte {end} of a "
        f"buffer of {tight.size_bytes}"
    )
    return NoFit(reason=reason)
