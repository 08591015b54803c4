"""The result of memory planning: a place for every buffer, and what the network needs in all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Block:
    """A piece of the arena.

    Attributes:
        name: Name of the storage, or ``"scratch of <step>"``.
        offset_bytes: First byte in the arena.
        size_bytes: Its size.
        first: Index of the first step that needs it.
        last: Index of the last step that needs it.
    """

    name: str
    offset_bytes: int
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a network takes of the main memory, in bytes.

    Attributes:
        arena_bytes: Activations and scratch.
        constant_bytes: Weights, biases, tables, as packed.
        io_bytes: The caller's input and output buffers.
        code_bytes: Estimated machine code.
        stack_bytes: The host's stack.
        capacity_bytes: What there is.
    """

    arena_bytes: int
    constant_bytes: int
    io_bytes: int
    code_bytes: int
    stack_bytes: int
    capacity_bytes: int

    @property
    def total_bytes(self) -> int:
        """Everything together."""
        return (
            self.arena_bytes
            + self.constant_bytes
            + self.io_bytes
            + self.code_bytes
            + self.stack_bytes
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class MemoryPlan:
    """Places in the main memory.

    Attributes:
        memory: Name of the memory.
        align_bytes: Alignment of the arena and of every block in it.
        blocks: One per storage of the arena and per scratch. Storages that take over another's
            bytes in place have a block of their own at the same offset.
        arena_bytes: Size of the arena.
        lower_bound_bytes: Most bytes live at once; no arena can be smaller.
        peak_step: Name of the step at which that is.
        budget: What the network takes in all.
    """

    memory: str
    align_bytes: int
    blocks: tuple[Block, ...]
    arena_bytes: int
    lower_bound_bytes: int
    peak_step: str
    budget: Budget
