"""What the tilers share: an engine that works in a scratchpad, and the tiling they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from htvm.ir.layout import Layout
from htvm.target.hardware import Memory
from htvm.target.layer import Tiling
from htvm.target.program import Program, Span
from htvm.tiling.pipeline import Queues


@dataclass(frozen=True, kw_only=True)
class ScratchpadEngine:
    """An engine that works in a scratchpad, as a tiler sees it.

    Attributes:
        lanes: Channels or elements it handles at once; tensors are padded to whole groups of them.
        layout: Layout of a tensor of a given shape, in main memory and in the scratchpad.
        memory: The scratchpad.
        transfer_cycles: Time of a transfer, from its main-memory end.
        queues: Names of the queues.
        slots: 2 runs transfers beside jobs, 1 never does.
        host_cycles: Host time for each step.
    """

    lanes: int
    layout: Callable[[tuple[int, ...]], Layout]
    memory: Memory
    transfer_cycles: Callable[[Span], int]
    queues: Queues = field(default_factory=Queues)
    slots: int = 2
    host_cycles: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class ProgramTiling(Tiling):
    """A tiling with the tile program its cost was read from."""

    program: Program
