"""From a candidate to its moves and jobs, address by address.

In L1 the output lies in front of the input and ends where the input begins. A store whose length is
rounded up then reads past the output into bytes that were brought, never into bytes nobody wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from htvm_diana.cycles import CHUNK_BYTES, LANES, Core, launches, row_cycles, transfer_cycles
from htvm_diana.problem import Job, Move, Problem, Region, TilePlan
from htvm_diana.tiling.bursts import Bursts, Load, load, store
from htvm_diana.tiling.candidate import Candidate
from htvm_diana.tiling.search import output_planes, per_channel
from htvm_diana.tiling.weights import block_inputs, block_outputs, weight_bytes, weight_offset
from htvm_diana.tiling.window import Columns, column_tiles, rows_needed

Range = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which tile of the layer, and where it stands in the order.

    Attributes:
        k: Output channels.
        y: Output rows.
        columns: Output columns.
    """

    k: Range
    y: Range
    columns: Columns


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What all tiles of a candidate share.

    Attributes:
        core: The core.
        problem: The layer.
        candidate: Tile sizes and policy.
        tiles: Column tiles.
        input_base: L1 address of the input, and where the output ends.
    """

    core: Core
    problem: Problem
    candidate: Candidate
    tiles: tuple[Columns, ...]
    input_base: int

    def load(self, place: Place) -> Load:
        """How the input of a tile is brought: all of it if it stays, else the tile's share."""
        problem = self.problem
        if self.candidate.policy.input_whole:
            everything = column_tiles(problem, problem.output.columns)[0]
            rows = problem.inputs[0].rows
            return load(self.core, problem, (0, rows), everything, problem.c)
        channels = place.k[1] - place.k[0] if per_channel(problem) else problem.c
        first, end = rows_needed(problem, *place.y)
        return load(self.core, problem, (int(first), int(end)), place.columns, channels)

    def output_bytes(self, k: Range, rows: int, columns: Columns) -> int:
        """L1 that holds the outputs of a tile, or of all channels if they are kept."""
        channels = self.problem.k if self.candidate.policy.output_kept else k[1] - k[0]
        return int(output_planes(self.problem, channels)) * rows * columns.pitch_bytes


def plan(core: Core, problem: Problem, candidate: Candidate) -> Plan:
    """Fix the addresses all tiles share."""
    tiles = column_tiles(problem, candidate.columns)
    widest = max(tiles, key=lambda tile: tile.pitch_bytes)
    draft = Plan(core=core, problem=problem, candidate=candidate, tiles=tiles, input_base=0)
    base = draft.output_bytes((0, candidate.channels), candidate.rows, widest)
    return replace(draft, input_base=base)


def regions(shared: Plan) -> tuple[Region, Region, Region]:
    """L1 of the input and of the output, and the weight memory.

    The output's region includes what a store may read past it.
    """
    problem, candidate = shared.problem, shared.candidate
    base = shared.input_base
    size = max(int(shared.load(place).local_bytes) for place in places(shared))
    spare = max(tile.stored_bytes % CHUNK_BYTES for tile in shared.tiles)
    ranges = [(0, problem.k)]
    if not candidate.policy.weights_all:
        ranges = list(_cut(problem.k, candidate.channels))
    weights = max(weight_bytes(problem, *span) for span in ranges)
    return (
        Region(offset_bytes=base, size_bytes=size),
        Region(offset_bytes=0, size_bytes=base + spare),
        Region(offset_bytes=0, size_bytes=weights),
    )


def places(shared: Plan) -> Iterator[Place]:
    """The tiles in the order they run."""
    rows = _cut(shared.problem.output.rows, shared.candidate.rows)
    spatial = tuple(product(rows, shared.tiles))
    channels = _cut(shared.problem.k, shared.candidate.channels)
    if shared.candidate.policy.channels_outer:
        for k, (y, columns) in product(channels, spatial):
            yield Place(k=k, y=y, columns=columns)
    else:
        for (y, columns), k in product(spatial, channels):
            yield Place(k=k, y=y, columns=columns)


def tile_plans(shared: Plan) -> Iterator[TilePlan]:
    """Every tile with its steps; what the tile before left in place is not brought again."""
    policy, problem = shared.candidate.policy, shared.problem
    held_input: object = None
    held_weights: object = None
    for place in places(shared):
        loads: list[Move] = []
        own = place.k if per_channel(problem) else None
        wanted = "all" if policy.input_whole else (place.y, place.columns.x, own)
        if wanted != held_input:
            loads += _input_moves(shared, place)
        weights = (0, problem.k) if policy.weights_all else place.k
        if weights != held_weights:
            loads.append(_weight_move(shared, weights))
        held_input, held_weights = wanted, weights
        yield TilePlan(
            k=place.k,
            y=place.y,
            x=place.columns.x,
            loads=tuple(loads),
            jobs=tuple(_jobs(shared, place)),
            stores=tuple(_stores(shared, place)),
        )


def _cut(total: int, size: int) -> tuple[Range, ...]:
    return tuple((start, min(start + size, total)) for start in range(0, total, size))


def _input_moves(shared: Plan, place: Place) -> Iterator[Move]:
    problem = shared.problem
    brought = shared.load(place)
    whole = shared.candidate.policy.input_whole
    skipped = place.k[0] if per_channel(problem) and not whole else 0
    origin = 0 if whole else place.columns.origin - place.columns.lead
    local = shared.input_base
    for index, (planes, bursts) in enumerate(zip(problem.inputs, brought.bursts, strict=True)):
        main = planes.offset_bytes + int(brought.start) * planes.row_pitch_bytes + origin
        yield from _expand(
            shared.core,
            bursts,
            Move(
                kind="load",
                operand=index,
                main_bytes=main + skipped * planes.plane_stride_bytes,
                local_bytes=local,
                chunk_bytes=int(bursts.chunk_bytes),
                cycles=0,
            ),
            main=(planes.row_pitch_bytes, planes.plane_stride_bytes),
            local=(brought.row_pitch_bytes, int(brought.channel_bytes)),
        )
        local += planes.channels * int(brought.channel_bytes)


def _expand(
    core: Core, bursts: Bursts, first: Move, *, main: Range, local: Range
) -> Iterator[Move]:
    """All transfers of a burst; strides are given for rows and for planes."""
    inner = 1 if bursts.by_row else 0
    count = int(bursts.count)
    for call in range(int(bursts.calls)):
        yield replace(
            first,
            main_bytes=first.main_bytes + call * main[1 - inner],
            local_bytes=first.local_bytes + call * local[1 - inner],
            count=count,
            main_stride_bytes=main[inner] if count > 1 else 0,
            local_stride_bytes=local[inner] if count > 1 else 0,
            cycles=int(transfer_cycles(core, first.chunk_bytes, count)),
        )


def _weight_move(shared: Plan, outputs: Range) -> Move:
    size = weight_bytes(shared.problem, *outputs)
    return Move(
        kind="weights",
        main_bytes=weight_offset(shared.problem, outputs[0]),
        local_bytes=0,
        chunk_bytes=size,
        cycles=int(transfer_cycles(shared.core, size, 1)),
    )


def _job_ranges(problem: Problem, k: Range) -> tuple[Range, ...]:
    if not problem.diagonal:
        return (k,)
    return tuple((start, min(start + LANES, k[1])) for start in range(k[0], k[1], LANES))


def _jobs(shared: Plan, place: Place) -> Iterator[Job]:
    problem, policy, columns = shared.problem, shared.candidate.policy, place.columns
    brought = shared.load(place)
    y0, y1 = place.y
    first, end = (int(row) for row in rows_needed(problem, y0, y1))
    pitch, channel = brought.row_pitch_bytes, int(brought.channel_bytes)
    corner = (first - int(brought.start)) * pitch
    corner += columns.origin if policy.input_whole else columns.lead
    plane = (y1 - y0) * columns.pitch_bytes
    pad_top = max(problem.pad_top - y0 * problem.stride, 0)
    needed_rows = (y1 - y0 - 1) * problem.stride + problem.kernel[0]
    output = shared.input_base - shared.output_bytes(place.k, y1 - y0, columns)
    output += place.k[0] * plane if policy.output_kept else 0
    in_l1 = 0 if policy.input_whole or not per_channel(problem) else place.k[0]
    for k0, k1 in _job_ranges(problem, place.k):
        outputs = k1 - k0
        skipped = k0 - in_l1 if per_channel(problem) else 0
        weights_at = 0 if policy.weights_all else weight_offset(problem, place.k[0])
        yield Job(
            kind=problem.kind,
            input=shared.input_base + corner + skipped * channel,
            output=output + (k0 - place.k[0]) * plane,
            output_bytes=int(output_planes(problem, outputs)) * plane,
            weights=weight_offset(problem, k0) - weights_at,
            weight_bytes=weight_bytes(problem, k0, k1),
            c=_job_inputs(problem, k0, outputs),
            k=outputs,
            cx=columns.columns,
            cx_pitch=pitch,
            cy=end - first,
            channel_size=channel,
            fx=problem.kernel[1],
            fy=problem.kernel[0],
            ox=columns.x[1] - columns.first,
            oy=y1 - y0,
            stride=problem.stride,
            pad_top=pad_top,
            pad_bottom=max(needed_rows - pad_top - (end - first), 0),
            pad_side=problem.pad_side,
            cycles=_job_cycles(shared, place, (k0, k1)),
            macs=_job_macs(problem, outputs * (y1 - y0) * (columns.x[1] - columns.x[0])),
        )


def _job_inputs(problem: Problem, first_output: int, outputs: int) -> int:
    if problem.kind == "depthwise":
        return outputs
    return block_inputs(problem, first_output // block_outputs(problem))


def _job_cycles(shared: Plan, place: Place, outputs: Range) -> int:
    problem = shared.problem
    channels = block_inputs(problem, outputs[0] // block_outputs(problem))
    rows = row_cycles(shared.core, problem, channels)[place.y[0] : place.y[1]]
    groups = place.columns.pitch_bytes // LANES
    return launches(shared.core, problem, outputs[1] - outputs[0]) * groups * int(rows.sum())


def _job_macs(problem: Problem, outputs: int) -> int:
    output = problem.output
    return problem.macs * outputs // (output.channels * output.rows * output.columns)


def _stores(shared: Plan, place: Place) -> Iterator[Move]:
    problem, planes, columns = shared.problem, shared.problem.output, place.columns
    k0, k1 = place.k
    if shared.candidate.policy.output_kept:
        if k1 < problem.k:
            return
        k0 = 0
    bursts = store(shared.core, planes, place.y, columns, k1 - k0)
    main = planes.offset_bytes + k0 * planes.plane_stride_bytes
    pitch = columns.pitch_bytes
    rows = place.y[1] - place.y[0]
    base = shared.input_base - shared.output_bytes(place.k, rows, columns)
    yield from _expand(
        shared.core,
        bursts,
        Move(
            kind="store",
            main_bytes=main + place.y[0] * planes.row_pitch_bytes + columns.x[0],
            local_bytes=base + columns.skipped,
            chunk_bytes=int(bursts.chunk_bytes),
            cycles=0,
        ),
        main=(planes.row_pitch_bytes, planes.plane_stride_bytes),
        local=(pitch, rows * pitch),
    )
