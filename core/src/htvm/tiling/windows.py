"""Tiles convolution and dense layers for an engine that works in one scratchpad.

The engine is described by a few functions; trying tile sizes and loop orders, cutting tensors,
overlapping transfers with jobs, and reading the cost off the program are the same for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from htvm.ir.layout import Layout
from htvm.schedule.timeline import timeline
from htvm.target.layer import Layer
from htvm.target.program import Buffer, Role, Span
from htvm.target.window import Reach, Window, window
from htvm.tiling.engine import ProgramTiling, ScratchpadEngine
from htvm.tiling.grid import Grid, Ranges, cheapest, grids, tile_label
from htvm.tiling.pipeline import Work, pipelined, scratchpad_bytes
from htvm.tiling.slab import slab

WEIGHTS = "weights"
"""Name of the one packed constant of a layer."""

_ORDERS = (("outputs", "rows", "columns"), ("rows", "columns", "outputs"))
_ONE = range(1)
_STEPS_A_TILE = 4
"""Steps the host issues while nothing else runs."""
_LEAST_GRIDS, _MOST_GRIDS, _MOST_TILES = 3, 16, 200
"""Grids priced exactly: at least, at most, and how many tiles they may have together."""


@dataclass(frozen=True, kw_only=True)
class WindowTile:
    """What one job computes.

    Attributes:
        window: The layer's window.
        outputs: Output channels, in whole groups of lanes.
        rows: Output rows.
        columns: Output columns.
        channels: Input channels read, in whole groups of lanes.
        in_rows: Input rows read.
        in_columns: Input columns read.
    """

    window: Window
    outputs: range
    rows: range
    columns: range
    channels: range
    in_rows: Reach
    in_columns: Reach

    @property
    def fields(self) -> dict[str, int]:
        """The tile in numbers, as a job's record may have them.

        Counts of input ``channels``, ``rows``, ``columns`` and of ``outputs``, ``out_rows``,
        ``out_columns``; ``kernel_`` and ``stride_rows`` and ``_columns``; ``pad_top`` and
        ``pad_left`` of the first output's window, which may be negative; ``pad_value``; and 1 as
        ``depthwise`` if an output sees its own channel only.
        """
        one = self.window
        return {
            "depthwise": int(one.kind == "depthwise"),
            "channels": len(self.channels),
            "rows": self.in_rows.count,
            "columns": self.in_columns.count,
            "outputs": len(self.outputs),
            "out_rows": len(self.rows),
            "out_columns": len(self.columns),
            "kernel_rows": one.kernel[0],
            "kernel_columns": one.kernel[1],
            "stride_rows": one.stride[0],
            "stride_columns": one.stride[1],
            "pad_top": self.in_rows.before,
            "pad_left": self.in_columns.before,
            "pad_value": one.pad_value,
        }


@dataclass(frozen=True, kw_only=True)
class WindowEngine(ScratchpadEngine):
    """An engine for windows, as its tiler sees it.

    Attributes:
        weight_bytes: Bytes of the packed weights of so many outputs, a whole number of lanes; the
            bytes of neighbouring outputs lie one after the other.
        cycles: Time of a job.
        job: Fields of a job's record. ``input``, ``weights`` and ``output`` are added: addresses
            in the scratchpad, where each lies packed.
    """

    weight_bytes: Callable[[Window, int], int]
    cycles: Callable[[WindowTile], int]
    job: Callable[[WindowTile], Mapping[str, int]]


def window_tilings(
    layer: Layer, engine: WindowEngine, *, main_memory: str
) -> tuple[ProgramTiling, ...]:
    """The cheapest tiling of a layer that has a window; none if no tile fits the scratchpad.

    Every tile size and loop order is tried with an estimate of its cycles; the few best are
    scheduled and take the cycles of their timelines.
    """
    plan = _Plan(layer=layer, engine=engine, window=window(layer), main_memory=main_memory)
    found = [plan.tiling(grid) for grid in _affordable(plan.grids())]
    found.sort(key=lambda tiling: tiling.cost.total)
    if not found:
        return ()
    rival = found[1] if len(found) > 1 else None
    runner_up = f"{rival.summary}: {rival.cost.total} cycles" if rival else ""
    best = found[0]
    return (
        ProgramTiling(
            inputs=best.inputs,
            output=best.output,
            cost=best.cost,
            tiles=best.tiles,
            summary=best.summary,
            constant_bytes=best.constant_bytes,
            runner_up=runner_up,
            program=best.program,
        ),
    )


def _affordable(grids: Sequence[Grid]) -> Iterator[Grid]:
    """The first few grids, and more of those after them while they are quick to schedule."""
    tiles = 0
    for number, grid in enumerate(grids):
        tiles += grid.count()
        if number < _LEAST_GRIDS or tiles <= _MOST_TILES:
            yield grid


@dataclass(frozen=True, kw_only=True, eq=False)
class _Plan:
    """One layer on one engine."""

    layer: Layer
    engine: WindowEngine
    window: Window
    main_memory: str

    def grids(self) -> tuple[Grid, ...]:
        """The most promising ways to cut the layer."""
        one = self.window
        extents = {
            "outputs": self._padded(one.outputs),
            "columns": one.out_columns,
            "rows": one.out_rows,
        }
        tried = grids(extents, steps={"outputs": self.engine.lanes}, orders=_ORDERS)
        return cheapest(tried, fits=self._fits, cost=self._estimate, keep=_MOST_GRIDS)

    def tiling(self, grid: Grid) -> ProgramTiling:
        """A grid with its program and what that costs."""
        program = pipelined(
            [self._work(tile) for tile in grid.tiles()],
            buffers=tuple(self._buffers()),
            memory=self.engine.memory,
            transfer_cycles=self.engine.transfer_cycles,
            queues=self.engine.queues,
            slots=self.engine.slots,
            host_cycles=self.engine.host_cycles,
        )
        return ProgramTiling(
            inputs=(self.engine.layout(self.layer.inputs[0].shape),),
            output=self.engine.layout(self.layer.output.shape),
            cost=timeline(program),
            tiles=grid.count(),
            summary=grid.summary,
            constant_bytes=self._weight_bytes(range(grid.extents["outputs"])),
            program=program,
        )

    def _padded(self, channels: int) -> int:
        return -(-channels // self.engine.lanes) * self.engine.lanes

    def _weight_bytes(self, outputs: range) -> int:
        return self.engine.weight_bytes(self.window, len(outputs)) if outputs else 0

    @cached_property
    def _layouts(self) -> tuple[Layout, Layout]:
        """Those of input and output, all lanes included."""
        one = self.window
        return (
            self.engine.layout((1, self._padded(one.channels), one.rows, one.columns)),
            self.engine.layout((1, self._padded(one.outputs), one.out_rows, one.out_columns)),
        )

    def _buffers(self) -> Iterator[Buffer]:
        source, target = self.layer.inputs[0], self.layer.output
        weights = self._weight_bytes(range(self._padded(self.window.outputs)))
        sizes: tuple[tuple[str, Role, int], ...] = (
            ("in0", "input", self.engine.layout(source.shape).size),
            (WEIGHTS, "constant", weights),
            ("out", "output", self.engine.layout(target.shape).size),
        )
        for name, role, size in sizes:
            yield Buffer(name=name, memory=self.main_memory, size_bytes=size, role=role)

    def _tile(self, tile: Ranges) -> WindowTile:
        one, outputs = self.window, tile["outputs"]
        return WindowTile(
            window=one,
            outputs=outputs,
            rows=tile["rows"],
            columns=tile["columns"],
            channels=outputs if one.kind == "depthwise" else range(self._padded(one.channels)),
            in_rows=one.reach_rows(tile["rows"]),
            in_columns=one.reach_columns(tile["columns"]),
        )

    def _fits(self, grid: Grid) -> bool:
        memory = self.engine.memory
        parts = self._parts(grid)
        return scratchpad_bytes(parts, memory, slots=self.engine.slots) <= memory.size_bytes

    def _parts(self, grid: Grid) -> tuple[tuple[int, int], ...]:
        """Bytes of the largest tile of input, weights and output, and how many there are."""
        one, size = self.window, grid.sizes
        image = one.most_rows(size["rows"]) * one.most_columns(size["columns"])
        each = one.kind == "depthwise"
        channels = size["outputs"] if each else self._padded(one.channels)
        around = ("rows", "columns", *(("outputs",) if each else ()))
        return (
            (image * channels, grid.count(*around)),
            (self._weight_bytes(range(size["outputs"])), grid.count("outputs")),
            (size["rows"] * size["columns"] * size["outputs"], grid.count()),
        )

    def _estimate(self, grid: Grid) -> int:
        """Cycles if every tile took as long as the first, the ragged ones their share of it."""
        first = self._work(next(grid.tiles()))
        took = {name: self.engine.transfer_cycles(span) for name, span in first.loads.items()}
        each = ("outputs",) if self.window.kind == "depthwise" else ()
        share = prod(grid.extents[name] / grid.sizes[name] for name in grid.order)
        inputs = took["input"] * grid.loads("rows", "columns", *each)
        loads = (inputs + took[WEIGHTS] * grid.loads("outputs")) * share / grid.count()
        store = self.engine.transfer_cycles(first.store)
        rest = [first.cycles * share, loads, store * share]
        if self.engine.queues.load == self.engine.queues.store:
            rest = [rest[0], rest[1] + rest[2]]
        steps = grid.count() * self.engine.host_cycles * _STEPS_A_TILE
        ends = sum(took.values()) + store + steps
        return round(sum(rest) + steps if self.engine.slots == 1 else max(rest) + ends)

    def _work(self, ranges: Ranges) -> Work:
        """What is to be done for one tile."""
        one, tile = self.window, self._tile(ranges)
        size = self._weight_bytes(tile.outputs)
        before = self._weight_bytes(range(tile.outputs.start))
        image, result = self._layouts
        needed = (_ONE, tile.channels, tile.in_rows.indices, tile.in_columns.indices)
        made = (_ONE, tile.outputs, tile.rows, tile.columns)
        taps = one.kernel[0] * one.kernel[1] * (one.channels // one.groups)
        outputs = min(tile.outputs.stop, one.outputs) - tile.outputs.start
        return Work(
            label=tile_label(ranges),
            loads={
                "input": slab("in0", image, needed),
                WEIGHTS: Span(buffer=WEIGHTS, offset_bytes=before, run_bytes=size),
            },
            store=slab("out", result, made),
            kind=one.kind,
            job=self.engine.job(tile),
            cycles=self.engine.cycles(tile),
            macs=taps * outputs * len(tile.rows) * len(tile.columns),
        )
