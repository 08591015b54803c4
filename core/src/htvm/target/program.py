"""The tile program of a layer: an explicit schedule as data.

One value, read by the C emitter, the static checker, the cycle timeline and the report, so that
what is predicted, emulated and emitted cannot drift apart. It is a flat list of steps: every tile
is spelled out, every wait is a step. Offsets are bytes from the start of their buffer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["input", "output", "constant", "scratch", "local"]


@dataclass(frozen=True, kw_only=True)
class Buffer:
    """A piece of a memory.

    Attributes:
        name: Unique in the program. Inputs are ``in0``, ``in1``, ..; the output is ``out``;
            constants have the name the packing gave them; ``scratch`` is main-memory scratch.
        memory: Name of the memory.
        size_bytes: Its size.
        offset_bytes: Place in a scratchpad (role ``local``); for other roles the memory planner
            decides and this is 0.
        role: What it holds.
    """

    name: str
    memory: str
    size_bytes: int
    offset_bytes: int = 0
    role: Role = "local"


@dataclass(frozen=True, kw_only=True)
class Span:
    """Bytes of a buffer: ``run_bytes`` from every combination of the repeats.

    Attributes:
        buffer: Name of the buffer.
        offset_bytes: First byte.
        run_bytes: Contiguous bytes.
        repeats: Pairs of count and stride in bytes, outermost first.
    """

    buffer: str
    offset_bytes: int
    run_bytes: int
    repeats: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Start moving ``source`` to ``destination``; both hold the same number of bytes, in order.

    Attributes:
        queue: The channel; transfers of one queue complete in the order they were started.
        cycles: Time on the channel.
    """

    queue: str
    source: Span
    destination: Span
    cycles: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Launch:
    """Start one job of an engine.

    Attributes:
        queue: The engine's queue.
        job: The plug-in's own job record: field name -> value.
        kind: The job's kind, for people and for the emitter: ``"conv2d"``.
        reads: All bytes the job may read.
        writes: All bytes the job writes.
        cycles: Time on the engine.
        macs: Useful multiply-accumulates, for utilisation.
    """

    queue: str
    kind: str
    job: Mapping[str, int]
    reads: tuple[Span, ...]
    writes: tuple[Span, ...]
    cycles: int
    macs: int = 0


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Hold the host until everything started on ``queue`` is done."""

    queue: str


Step = Transfer | Launch | Wait


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """The steps of one tile, with a comment for the generated C.

    Attributes:
        label: ``"channels 0..15, rows 0..31"``.
        steps: In the order the host issues them.
    """

    label: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """The schedule of one layer.

    Attributes:
        buffers: Every buffer by name.
        tiles: In the order they run.
        host_cycles: Host time per issued step, part of the timeline.
    """

    buffers: Mapping[str, Buffer]
    tiles: tuple[Tile, ...]
    host_cycles: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps of all tiles, in order."""
        return tuple(step for tile in self.tiles for step in tile.steps)
