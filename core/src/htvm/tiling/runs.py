"""Tiles layers that work element by element, such as sums, for an engine with a scratchpad.

Operands and result lie alike, so a tile is a run of elements and no axis of a tensor matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from htvm.errors import InternalError
from htvm.ir.layout import Layout
from htvm.ir.tensor import Tensor
from htvm.schedule.timeline import timeline
from htvm.target.layer import Layer
from htvm.target.program import Buffer, Role, Span
from htvm.tiling.engine import ProgramTiling, ScratchpadEngine
from htvm.tiling.grid import Grid, cheapest, grids, tile_label
from htvm.tiling.pipeline import Work, pipelined, scratchpad_bytes

_LOOP = "elements"
_STEPS_A_TILE = 4
"""Steps the host issues while nothing else runs."""


@dataclass(frozen=True, kw_only=True)
class RunEngine(ScratchpadEngine):
    """An engine for runs of elements, as its tiler sees it.

    Attributes:
        cycles: Time of a job on so many elements.
        job: Fields of the record of a job on so many elements. ``in0``, ``in1``, .. and ``output``
            are added: addresses in the scratchpad.
    """

    cycles: Callable[[int], int]
    job: Callable[[int], Mapping[str, int]]


def run_tilings(layer: Layer, engine: RunEngine, *, main_memory: str) -> tuple[ProgramTiling, ...]:
    """The cheapest tiling of a layer whose inputs and output have one shape; none if none fits.

    Raises:
        InternalError: Shapes differ; the pattern should not have taken the layer.
    """
    shapes = {tensor.shape for tensor in (*layer.inputs, layer.output)}
    if len(shapes) > 1:
        raise InternalError(f"layer {layer.name} has several shapes: pattern {layer.pattern}")
    plan = _Plan(layer=layer, engine=engine, main_memory=main_memory)
    found = sorted(map(plan.tiling, plan.grids()), key=lambda tiling: tiling.cost.total)
    return tuple(found[:1])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Plan:
    """One layer on one engine."""

    layer: Layer
    engine: RunEngine
    main_memory: str

    @property
    def _layout(self) -> Layout:
        return self.engine.layout(self.layer.output.shape)

    @property
    def _operands(self) -> dict[str, Tensor]:
        """Inputs and output by the name of their buffer."""
        named = {f"in{at}": tensor for at, tensor in enumerate(self.layer.inputs)}
        return {**named, "out": self.layer.output}

    def grids(self) -> tuple[Grid, ...]:
        """The most promising ways to cut the layer."""
        tried = grids({_LOOP: self._layout.size}, steps={_LOOP: self.engine.lanes})
        return cheapest(tried, fits=self._fits, cost=self._estimate)

    def tiling(self, grid: Grid) -> ProgramTiling:
        """A grid with its program and what that costs."""
        layout = self._layout
        program = pipelined(
            [self._work(tile[_LOOP]) for tile in grid.tiles()],
            buffers=[self._buffer(name) for name in self._operands],
            memory=self.engine.memory,
            transfer_cycles=self.engine.transfer_cycles,
            queues=self.engine.queues,
            slots=self.engine.slots,
            host_cycles=self.engine.host_cycles,
        )
        return ProgramTiling(
            inputs=(layout,) * len(self.layer.inputs),
            output=layout,
            cost=timeline(program),
            tiles=grid.count(),
            summary=grid.summary,
            program=program,
        )

    def _buffer(self, name: str) -> Buffer:
        role: Role = "output" if name == "out" else "input"
        size = self._layout.size_bytes(self._operands[name].dtype)
        return Buffer(name=name, memory=self.main_memory, size_bytes=size, role=role)

    def _fits(self, grid: Grid) -> bool:
        memory, size, count = self.engine.memory, grid.sizes[_LOOP], grid.count()
        parts = [(size * tensor.dtype.size_bytes, count) for tensor in self._operands.values()]
        return scratchpad_bytes(parts, memory, slots=self.engine.slots) <= memory.size_bytes

    def _estimate(self, grid: Grid) -> int:
        """Cycles if every tile took as long as the first."""
        work, count = self._work(range(grid.sizes[_LOOP])), grid.count()
        loads = sum(map(self.engine.transfer_cycles, work.loads.values()))
        store = self.engine.transfer_cycles(work.store)
        parts = [loads, work.cycles, store]
        if self.engine.queues.load == self.engine.queues.store:
            parts = [loads + store, work.cycles]
        steps = count * self.engine.host_cycles * _STEPS_A_TILE
        if self.engine.slots == 1:
            return count * sum(parts) + steps
        return (count - 1) * max(parts) + sum(parts) + steps

    def _work(self, run: range) -> Work:
        """What is to be done for one tile."""
        spans = {
            name: Span(
                buffer=name,
                offset_bytes=run.start * tensor.dtype.size_bytes,
                run_bytes=len(run) * tensor.dtype.size_bytes,
            )
            for name, tensor in self._operands.items()
        }
        store = spans.pop("out")
        return Work(
            label=tile_label({_LOOP: run}),
            loads=spans,
            store=store,
            kind=self.layer.pattern,
            job=self.engine.job(len(run)),
            cycles=self.engine.cycles(len(run)),
        )
