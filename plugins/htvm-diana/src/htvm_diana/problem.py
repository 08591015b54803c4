"""What the tiler is asked and what it answers.

A :class:`Problem` is one layer as the digital core sees it, after every exact rewrite. A
:class:`Choice` is the schedule found for it: which bytes move when and which jobs run, address by
address, so that turning it into a tile program is a plain translation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from htvm.api import Cost

Kind = Literal["conv2d", "depthwise", "dense", "sum"]
MoveKind = Literal["load", "weights", "store"]


def round_up(value: int, step: int) -> int:
    """``value`` rounded up to a multiple of ``step``."""
    return -(-value // step) * step


@dataclass(frozen=True, kw_only=True)
class Planes:
    """One operand in main memory: channel planes of rows, one byte an element.

    Bytes between the columns and the row pitch, between the rows and the plane stride, and after
    the last plane up to ``size_bytes`` hold nothing: a store may write them.

    Attributes:
        channels: Number of planes.
        rows: Rows that hold data.
        columns: Columns that hold data.
        row_pitch_bytes: From one row to the next; a multiple of 16.
        plane_stride_bytes: From one plane to the next; a multiple of 16.
        size_bytes: All of the buffer. A multiple of 32 lets the last transfer round its length up.
        offset_bytes: Where plane 0 starts in the buffer; a multiple of 16.
    """

    channels: int
    rows: int
    columns: int
    row_pitch_bytes: int
    plane_stride_bytes: int
    size_bytes: int
    offset_bytes: int = 0

    @property
    def packed(self) -> bool:
        """Whether each plane starts where the rows of the one before end."""
        return self.plane_stride_bytes == self.rows * self.row_pitch_bytes


def planes(channels: int, rows: int, columns: int) -> Planes:
    """Operand in the core's usual layout: rows padded to 16, planes packed, length padded to 32."""
    pitch = round_up(columns, 16)
    return Planes(
        channels=channels,
        rows=rows,
        columns=columns,
        row_pitch_bytes=pitch,
        plane_stride_bytes=rows * pitch,
        size_bytes=round_up(channels * rows * pitch, 32),
    )


def vector(length: int) -> Planes:
    """Operand of a dense layer or a sum: one row of ``length`` bytes."""
    return planes(1, 1, length)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One layer for the digital core.

    Attributes:
        kind: The job it becomes. Dense and sum take vectors: one plane of one row.
        inputs: What is read. Conv2d stacks several as channels, in order; all need one row pitch
            and equal rows and columns. A sum has exactly two.
        output: What is written.
        kernel: Kernel rows and columns.
        stride: Stride, both ways.
        pad_top: Zero rows the core adds above.
        pad_bottom: Zero rows the core adds below.
        pad_side: Zero columns the core adds on both sides.
        diagonal: Conv2d only: weights are block-diagonal, outputs ``16 b .. 16 b + 15`` read inputs
            ``16 b .. 16 b + 15`` only, one job per block.
        macs: Multiply-accumulates of the source layer, for utilisation.
    """

    kind: Kind
    inputs: tuple[Planes, ...]
    output: Planes
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    pad_top: int = 0
    pad_bottom: int = 0
    pad_side: int = 0
    diagonal: bool = False
    macs: int = 0

    @property
    def c(self) -> int:
        """Input channels; length of a dense layer's or a sum's input."""
        if self.kind in ("dense", "sum"):
            return self.inputs[0].columns
        return sum(operand.channels for operand in self.inputs)

    @property
    def k(self) -> int:
        """Output channels; length of a dense layer's or a sum's output."""
        return self.output.columns if self.kind in ("dense", "sum") else self.output.channels


@dataclass(frozen=True, kw_only=True)
class Move:
    """One transfer: ``count`` chunks of ``chunk_bytes``.

    Attributes:
        kind: Direction and what is moved.
        operand: Index of the input for a load, 0 otherwise.
        main_bytes: First byte in the operand's main-memory buffer (or the weights constant).
        local_bytes: First byte in L1, or in the weight memory.
        chunk_bytes: Contiguous bytes of one chunk.
        count: Number of chunks.
        main_stride_bytes: From one chunk to the next in main memory; 0 if there is one chunk.
        local_stride_bytes: The same in L1.
        cycles: Time it takes.
    """

    kind: MoveKind
    operand: int = 0
    main_bytes: int
    local_bytes: int
    chunk_bytes: int
    count: int = 1
    main_stride_bytes: int = 0
    local_stride_bytes: int = 0
    cycles: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job of the core: the fields of ``htvm_diana_job`` that tiling decides.

    Addresses are bytes from the start of L1, ``weights`` from the start of the weight memory. The
    job writes ``output_bytes`` from ``output`` on, garbage columns and channels included, and reads
    ``weight_bytes`` from ``weights`` on.
    """

    kind: Kind
    input: int
    input2: int = 0
    output: int
    output_bytes: int
    weights: int = 0
    weight_bytes: int = 0
    c: int
    k: int
    cx: int = 0
    cx_pitch: int = 0
    cy: int = 0
    channel_size: int = 0
    fx: int = 0
    fy: int = 0
    ox: int = 0
    oy: int = 0
    stride: int = 0
    pad_top: int = 0
    pad_bottom: int = 0
    pad_side: int = 0
    cycles: int
    macs: int = 0


@dataclass(frozen=True, kw_only=True)
class TilePlan:
    """One tile: output channels, rows and columns, and the steps that make them, in order.

    Dense and sum use the channel range for the range of the vector.

    Attributes:
        k: First output channel and the one after the last.
        y: First output row and the one after the last.
        x: First output column and the one after the last.
        loads: Moves needed before the jobs; what is still in L1 is not loaded again.
        jobs: Jobs, each after the one before.
        stores: Moves after the last job.
    """

    k: tuple[int, int]
    y: tuple[int, int] = (0, 1)
    x: tuple[int, int] = (0, 1)
    loads: tuple[Move, ...]
    jobs: tuple[Job, ...]
    stores: tuple[Move, ...]


@dataclass(frozen=True, kw_only=True)
class Region:
    """Where something lies in a local memory."""

    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The cheapest schedule of a problem.

    Attributes:
        problem: What was asked.
        tiles: The tiles, in the order they run.
        inputs: L1 used by the inputs: two regions for a sum, else one, operands stacked in it.
        output: L1 used by the output, garbage planes included.
        weights: Weight memory used; empty for a sum.
        cost: Cycles.
        summary: The tile, the loop order and what stays resident, for people.
        runner_up: The best schedule with another tile or order, and its cycles, for people.
    """

    problem: Problem
    tiles: tuple[TilePlan, ...]
    inputs: tuple[Region, ...]
    output: Region
    weights: Region
    cost: Cost
    summary: str
    runner_up: str


@dataclass(frozen=True, kw_only=True)
class NoFit:
    """Why no tile is legal.

    Attributes:
        reason: One clause with numbers: ``"the smallest tile needs 283 KiB of L1, .."``.
        memory: The memory that is too small, or ``""`` if another rule forbids every tile.
        needed_bytes: What the smallest tile takes of it.
        available_bytes: What there is.
    """

    reason: str
    memory: str = ""
    needed_bytes: int = 0
    available_bytes: int = 0
