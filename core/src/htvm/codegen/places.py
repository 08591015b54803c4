"""Names for the pieces of the arena, so that the run function reads without numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from htvm.dispatch.plan import Dispatch
from htvm.memory.lifetimes import scratch_name
from htvm.memory.plan import Block, MemoryPlan


@dataclass(frozen=True, kw_only=True)
class Place:
    """A piece of the arena under its C name.

    Attributes:
        name: The enumerator whose value is its offset.
        offset_bytes: The offset.
        note: How large it is and when it is needed.
    """

    name: str
    offset_bytes: int
    note: str

    @property
    def text(self) -> str:
        """The enumerator."""
        return f"{self.name} = {self.offset_bytes},"


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """All pieces, and which of them each buffer and scratch is.

    Attributes:
        places: In order of first use.
        buffers: Storage -> C name.
        scratch: Name of a step -> C name of its scratch.
    """

    places: tuple[Place, ...]
    buffers: Mapping[str, str]
    scratch: Mapping[str, str]


def collect(plan: Dispatch, memory: MemoryPlan) -> Places:
    """Call every buffer after the step that writes it, every scratch after its step."""
    buffers: dict[str, str] = {}
    for step in plan.steps:
        buffers.setdefault(plan.values[step.output].buffer, f"at_{step.name}")
    scratch = {scratch_name(step): f"scratch_{step.name}" for step in plan.steps}
    names = {**buffers, **scratch}
    return Places(
        places=tuple(_place(names[block.name], block) for block in memory.blocks),
        buffers=buffers,
        scratch={step.name: scratch[scratch_name(step)] for step in plan.steps},
    )


def _place(name: str, block: Block) -> Place:
    steps = (
        f"step {block.first}"
        if block.first == block.last
        else f"steps {block.first} to {block.last}"
    )
    return Place(
        name=name,
        offset_bytes=block.offset_bytes,
        note=f"{block.size_bytes} bytes, {steps}",
    )
