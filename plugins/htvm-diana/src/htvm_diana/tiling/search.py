"""What every tile size of a convolution costs and takes, all at once with numpy.

Axes of the arrays: tile size in channels, tile size in rows, and the kinds of row tile that
size makes.
Both size axes start with the largest, so that the first of equals is the largest tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htvm_diana.cycles import LANES, Core, launches, row_cycles, transfer_cycles
from htvm_diana.problem import Problem, round_up
from htvm_diana.tiling.bursts import load, store
from htvm_diana.tiling.weights import block_inputs, block_outputs, weight_bytes, weight_offset
from htvm_diana.tiling.window import Columns, column_tiles, rows_needed

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Tile sizes to try.

    Attributes:
        channels: Output channels of a tile, shape (K, 1, 1).
        last: Output channels of the last tile, same shape.
        count: Number of tiles of channels, same shape.
        rows: Output rows of a tile, shape (Y, 1).
        start: First row of each kind of tile, shape (Y, T).
        end: Row after the last, same shape.
        times: How often each such tile occurs, 0 if it does not, same shape.
    """

    channels: Ints
    last: Ints
    count: Ints
    rows: Ints
    start: Ints
    end: Ints
    times: Ints


def sizes(problem: Problem) -> Sizes:
    """All tile sizes: channels in blocks of weights, and every number of rows."""
    step, total, height = block_outputs(problem), problem.k, problem.output.rows
    channels = np.arange(round_up(total, step), 0, -step).clip(max=total).reshape(-1, 1, 1)
    count = -(-total // channels)
    rows = np.arange(height, 0, -1).reshape(-1, 1)
    index, times = _row_tiles(problem, -(-height // rows))
    start = np.minimum(index * rows, height - 1)
    return Sizes(
        channels=channels,
        last=total - (count - 1) * channels,
        count=count,
        rows=rows,
        start=start,
        end=np.minimum(start + rows, height),
        times=times,
    )


def _row_tiles(problem: Problem, count: Ints) -> tuple[Ints, Ints]:
    """Tiles of rows that may differ from each other, and how often each occurs.

    Padding reaches only the first and the last few tiles; all between them are alike, so one
    stands for them.
    """
    output, rows = problem.output, problem.inputs[0].rows
    needed = (output.rows - 1) * problem.stride + problem.kernel[0] - problem.pad_top
    edge = max(problem.pad_top, needed - rows, 0) + 2
    order = np.arange(2 * edge + 1)
    index = np.where(order <= edge, order, count - 2 * edge - 1 + order)
    few = count <= 2 * edge + 1
    index = np.where(few, order, index)
    times = np.where(few, order < count, np.where(order == edge, count - 2 * edge, 1))
    return index, times.astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Cycles and bytes of all tile sizes of one width; shapes broadcast to (K, Y).

    Attributes:
        width: Output columns of a tile.
        spatial: Number of tiles of rows and columns.
        jobs: Cycles of all jobs.
        input_pass: Cycles of bringing every tile of rows and columns once.
        input_whole: Cycles of bringing all of the input at once.
        weights_pass: Cycles of bringing the weights of each tile of channels once.
        weights_all: Cycles of bringing all weights at once.
        output_tiles: Cycles of storing tile by tile.
        output_kept: Cycles of storing all channels of each tile of rows together.
        l1_input: L1 of the largest input tile, and of all of the input.
        l1_output: L1 of the largest output tile, and of one with all channels.
        weight_memory: Weight memory of the largest tile, and of all weights.
        legal: Whether tiles may be loaded one by one; loaded as a whole; stored one by one;
            stored with all channels together.
    """

    width: int
    spatial: Ints
    jobs: Ints
    input_pass: Ints
    input_whole: Ints
    weights_pass: Ints
    weights_all: int
    output_tiles: Ints
    output_kept: Ints
    l1_input: tuple[Ints, Ints]
    l1_output: tuple[Ints, Ints]
    weight_memory: tuple[Ints, int]
    legal: tuple[Bools, Bools, Bools, Bools]


def per_channel(problem: Problem) -> bool:
    """Whether a tile of output channels reads only input channels of its own."""
    return problem.kind == "depthwise" or problem.diagonal


def costs(core: Core, problem: Problem, tried: Sizes, width: int) -> Costs:
    """Cost of every tile size of one width."""
    columns = column_tiles(problem, width)
    own = per_channel(problem)
    spatial = tried.times.sum(axis=1) * len(columns)
    weights_pass, weights_all, weight_memory = _weights(core, problem, tried)
    if own:
        full = _loads(core, problem, tried, columns, tried.channels)
        last = _loads(core, problem, tried, columns, tried.last)
        input_pass = (tried.count[..., 0] - 1) * full[0] + last[0]
        loadable, l1_input = full[1] & last[1], np.maximum(full[2], last[2])
    else:
        input_pass, loadable, l1_input = _loads(core, problem, tried, columns, np.array(problem.c))
    whole_columns = column_tiles(problem, problem.output.columns)[0]
    whole = load(core, problem, (0, problem.inputs[0].rows), whole_columns, problem.c)
    full_store = _stores(core, problem, tried, columns, tried.channels)
    last_store = _stores(core, problem, tried, columns, tried.last)
    kept = _stores(core, problem, tried, columns, np.array(problem.k))
    return Costs(
        width=width,
        spatial=spatial,
        jobs=_jobs(core, problem, tried, columns, spatial),
        input_pass=input_pass,
        input_whole=whole.cycles(core),
        weights_pass=weights_pass,
        weights_all=weights_all,
        output_tiles=(tried.count[..., 0] - 1) * full_store[0] + last_store[0],
        output_kept=kept[0],
        l1_input=(l1_input, whole.local_bytes),
        l1_output=(
            _output_bytes(problem, tried, columns, tried.channels[..., 0]),
            _output_bytes(problem, tried, columns, np.array(problem.k)),
        ),
        weight_memory=weight_memory,
        legal=(loadable, whole.legal, full_store[1] & last_store[1], kept[1]),
    )


def _loads(
    core: Core, problem: Problem, tried: Sizes, columns: tuple[Columns, ...], channels: Ints
) -> tuple[Ints, Bools, Ints]:
    """Of all tiles of rows and columns: cycles, whether all are legal, L1 of the largest."""
    rows = rows_needed(problem, tried.start, tried.end)
    parts = [load(core, problem, rows, tile, channels) for tile in columns]
    cycles = sum((tried.times * part.cycles(core)).sum(axis=-1) for part in parts)
    legal = reduce(np.logical_and, [_everywhere(part.legal, tried) for part in parts])
    taken = reduce(np.maximum, [_largest(part.local_bytes, tried) for part in parts])
    return np.asarray(cycles), legal, taken


def _everywhere(legal: Any, tried: Sizes) -> Bools:
    return np.asarray((legal | (tried.times == 0)).all(axis=-1))


def _largest(size: Any, tried: Sizes) -> Ints:
    return np.asarray(np.where(tried.times, size, 0).max(axis=-1))


def _stores(
    core: Core, problem: Problem, tried: Sizes, columns: tuple[Columns, ...], outputs: Ints
) -> tuple[Ints, Bools]:
    """Of all tiles of rows and columns: cycles, and whether all are legal."""
    span = (tried.start, tried.end)
    parts = [store(core, problem.output, span, tile, outputs) for tile in columns]
    cycles = sum((tried.times * part.cycles(core)).sum(axis=-1) for part in parts)
    legal = reduce(np.logical_and, [_everywhere(part.legal, tried) for part in parts])
    return np.asarray(cycles), legal


def _weights(core: Core, problem: Problem, tried: Sizes) -> tuple[Ints, int, tuple[Ints, int]]:
    per_block = block_outputs(problem)
    count = tried.count[..., 0]
    everything = weight_bytes(problem, 0, problem.k)
    full = -(-tried.channels[..., 0] // per_block) * weight_offset(problem, per_block)
    last = everything - (count - 1) * full
    cycles = (count - 1) * (transfer_cycles(core, full, 1) + core.step_cycles)
    cycles = cycles + transfer_cycles(core, last, 1) + core.step_cycles
    at_once = int(transfer_cycles(core, everything, 1)) + core.step_cycles
    return cycles, at_once, (np.where(count > 1, full, last), everything)


def _jobs(
    core: Core, problem: Problem, tried: Sizes, columns: tuple[Columns, ...], spatial: Ints
) -> Ints:
    groups = sum(tile.pitch_bytes // LANES for tile in columns)
    blocks = -(-problem.k // LANES)
    if problem.diagonal:
        reads = [block_inputs(problem, block) for block in range(blocks)]
        work = sum(int(row_cycles(core, problem, channels).sum()) for channels in reads)
        return np.asarray(groups * work + blocks * spatial * core.step_cycles)
    full = np.array([launches(core, problem, int(size)) for size in tried.channels.flat])
    last = np.array([launches(core, problem, int(size)) for size in tried.last.flat])
    count = tried.count[..., 0]
    launched = (count[:, 0] - 1) * full + last
    one = int(row_cycles(core, problem, block_inputs(problem, 0)).sum())
    compute = launched.reshape(-1, 1) * one * groups
    return np.asarray(compute + count * spatial * core.step_cycles)


def output_planes(problem: Problem, outputs: Any) -> Any:
    """Planes of L1 that jobs for ``outputs`` channels write, garbage included.

    Takes integers or integer arrays.
    """
    if problem.kind == "depthwise":
        return np.add(outputs, LANES - 1)
    return -(-np.asarray(outputs) // LANES) * LANES


def _output_bytes(
    problem: Problem, tried: Sizes, columns: tuple[Columns, ...], outputs: Ints
) -> Ints:
    plane = tried.rows[:, 0] * max(tile.pitch_bytes for tile in columns)
    return np.asarray(output_planes(problem, outputs) * plane)
