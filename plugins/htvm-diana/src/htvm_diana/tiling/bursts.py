"""How a tile moves: lengths, strides and number of transfers, and whether that is allowed.

Lengths are multiples of 32 bytes while rows are multiples of 16, so a transfer may have to take 16
bytes more than it needs. A load may take them from anywhere inside the buffer, or from the row
above; a store may only put them where nothing lies. All functions take integers or integer arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np

from htvm_diana.cycles import CHUNK_BYTES, Core, transfer_cycles
from htvm_diana.problem import Planes, Problem, round_up
from htvm_diana.tiling.window import Columns

Span = tuple[Any, Any]
"""First row and the one after the last: integers or integer arrays."""


@dataclass(frozen=True, kw_only=True)
class Bursts:
    """Equal transfers: ``calls`` of ``count`` chunks each.

    Attributes:
        chunk_bytes: Contiguous bytes of one chunk.
        count: Chunks of one transfer.
        calls: Number of transfers.
        by_row: Whether chunks of one transfer lie in successive planes and transfers, if several,
            in successive rows; else the other way round.
        legal: Whether the rules of the core allow it.
    """

    chunk_bytes: Any
    count: Any
    calls: Any
    by_row: Any
    legal: Any = True

    def cycles(self, core: Core) -> Any:
        """Time of all transfers and of starting them."""
        one = transfer_cycles(core, self.chunk_bytes, self.count) + core.step_cycles
        return np.multiply(self.calls, one)


@dataclass(frozen=True, kw_only=True)
class Load:
    """Bringing the input of a tile.

    Attributes:
        start: First row brought; may be one above the first needed.
        row_pitch_bytes: From one row to the next in L1.
        channel_bytes: From one plane to the next in L1.
        local_bytes: L1 taken by all operands.
        bursts: One entry per operand.
    """

    start: Any
    row_pitch_bytes: int
    channel_bytes: Any
    local_bytes: Any
    bursts: tuple[Bursts, ...]

    @property
    def legal(self) -> Any:
        """Whether every operand's transfers are allowed."""
        return reduce(np.logical_and, (part.legal for part in self.bursts))

    def cycles(self, core: Core) -> Any:
        """Time of bringing every operand."""
        return sum(part.cycles(core) for part in self.bursts)


def load(core: Core, problem: Problem, rows: Span, columns: Columns, channels: Any) -> Load:
    """Load input rows ``[first, end)``: ``channels`` planes of one operand, or all of several."""
    counts = [operand.channels for operand in problem.inputs]
    shares = counts if len(counts) > 1 else [channels]
    if columns.whole or columns.brought_bytes == problem.inputs[0].row_pitch_bytes:
        return _load_rows(core, problem, rows, columns.origin - columns.lead, shares)
    return _load_columns(core, problem, rows, columns, shares)


def _load_rows(core: Core, problem: Problem, rows: Span, origin: int, shares: list[Any]) -> Load:
    first, end = rows
    operand = problem.inputs[0]
    pitch, stride = operand.row_pitch_bytes, operand.plane_stride_bytes
    length = _round_up_chunk(np.subtract(end, first) * pitch)
    beyond = np.logical_or.reduce(
        [_last_byte(p, first) + origin + length > p.size_bytes for p in problem.inputs]
    )
    spans = _spannable(problem) & np.equal(first, 0) & np.equal(end, operand.rows)
    start = np.where(beyond & ~spans, np.maximum(np.subtract(first, 1), 0), first)
    length = _round_up_chunk(np.subtract(end, start) * pitch)
    legal = ~beyond | np.greater(first, 0)
    operands = list(zip(problem.inputs, shares, strict=True))
    whole = [_all_rows(planes, channels, origin) for planes, channels in operands]
    apart = [_rows(core, planes, channels, length, legal) for planes, channels in operands]
    bases = [np.multiply(before, stride) for before in accumulate(shares[:-1], initial=0)]
    ends = [base + part.chunk_bytes for base, part in zip(bases, whole, strict=True)]
    return Load(
        start=start,
        row_pitch_bytes=pitch,
        channel_bytes=np.where(spans, stride, length),
        local_bytes=np.where(spans, reduce(np.maximum, ends), sum(shares) * length),
        bursts=tuple(_either(spans, *pair) for pair in zip(whole, apart, strict=True)),
    )


def _all_rows(planes: Planes, channels: Any, origin: int) -> Bursts:
    """Whole planes, the last ones of the operand, as one chunk."""
    exact = np.subtract(channels, 1) * planes.plane_stride_bytes
    chunk = _round_up_chunk(exact + planes.rows * planes.row_pitch_bytes)
    before = (planes.channels - channels) * planes.plane_stride_bytes
    inside = planes.offset_bytes + origin + before + chunk <= planes.size_bytes
    return Bursts(chunk_bytes=chunk, count=1, calls=1, by_row=True, legal=inside)


def _rows(core: Core, planes: Planes, channels: Any, length: Any, legal: Any) -> Bursts:
    """The same rows of every plane; chunks that touch are one."""
    touch = np.equal(length, planes.plane_stride_bytes)
    together = _one_call(core, channels, planes.plane_stride_bytes, length)
    return Bursts(
        chunk_bytes=np.where(touch, channels * length, length),
        count=np.where(touch | ~together, 1, channels),
        calls=np.where(touch | together, 1, channels),
        by_row=together,
        legal=legal,
    )


def _either(condition: Any, one: Bursts, other: Bursts) -> Bursts:
    return Bursts(
        chunk_bytes=np.where(condition, one.chunk_bytes, other.chunk_bytes),
        count=np.where(condition, one.count, other.count),
        calls=np.where(condition, one.calls, other.calls),
        by_row=np.where(condition, one.by_row, other.by_row),
        legal=np.where(condition, one.legal, other.legal),
    )


def _load_columns(
    core: Core, problem: Problem, span: Span, columns: Columns, shares: list[Any]
) -> Load:
    first, end = span
    chunk = columns.brought_bytes
    rows = np.subtract(end, first)
    parts = []
    for planes, channels in zip(problem.inputs, shares, strict=True):
        last = _last_byte(planes, np.subtract(end, 1)) + columns.origin - columns.lead + chunk
        by_row = _one_call(core, channels, planes.plane_stride_bytes, rows * chunk)
        by_row = by_row & np.less(rows, channels)
        parts.append(
            Bursts(
                chunk_bytes=chunk,
                count=np.where(by_row, channels, rows),
                calls=np.where(by_row, rows, channels),
                by_row=by_row,
                legal=last <= planes.size_bytes,
            )
        )
    return Load(
        start=first,
        row_pitch_bytes=chunk,
        channel_bytes=rows * chunk,
        local_bytes=sum(shares) * rows * chunk,
        bursts=tuple(parts),
    )


def store(core: Core, planes: Planes, span: Span, columns: Columns, outputs: Any) -> Bursts:
    """Store ``outputs`` planes of output rows ``[start, end)``."""
    start, end = span
    if not columns.whole or planes.row_pitch_bytes != columns.pitch_bytes:
        return _store_columns(core, planes, span, columns, outputs)
    rows, pitch, stride = planes.rows, planes.row_pitch_bytes, planes.plane_stride_bytes
    exact = np.subtract(end, start) * pitch
    length = _round_up_chunk(exact)
    gap = stride - rows * pitch >= CHUNK_BYTES // 2
    slack = _last_byte(planes, rows) + CHUNK_BYTES // 2 <= planes.size_bytes
    together = _one_call(core, outputs, stride, exact)
    apart = Bursts(
        chunk_bytes=length,
        count=np.where(together, outputs, 1),
        calls=np.where(together, 1, outputs),
        by_row=together,
        legal=np.equal(length, exact) | (np.equal(end, rows) & gap & slack),
    )
    spans = np.equal(exact, rows * pitch) & planes.packed
    return _either(spans, _all_rows(planes, outputs, 0), apart)


def _store_columns(
    core: Core, planes: Planes, span: Span, columns: Columns, outputs: Any
) -> Bursts:
    chunk = round_up(columns.stored_bytes, CHUNK_BYTES)
    free = columns.x[1] == planes.columns and columns.x[0] + chunk <= planes.row_pitch_bytes
    rows = np.subtract(span[1], span[0])
    by_row = _one_call(core, outputs, planes.plane_stride_bytes, rows * columns.pitch_bytes)
    by_row = by_row & np.less(rows, outputs)
    return Bursts(
        chunk_bytes=chunk,
        count=np.where(by_row, outputs, rows),
        calls=np.where(by_row, rows, outputs),
        by_row=by_row,
        legal=np.broadcast_to(chunk == columns.stored_bytes or free, np.shape(by_row)),
    )


def _round_up_chunk(length: Any) -> Any:
    return -(-np.asarray(length) // CHUNK_BYTES) * CHUNK_BYTES


def _last_byte(planes: Planes, row: Any) -> Any:
    """Where a row of the last plane starts."""
    last = planes.offset_bytes + (planes.channels - 1) * planes.plane_stride_bytes
    return last + np.multiply(row, planes.row_pitch_bytes)


def _one_call(core: Core, chunks: Any, main_stride: int, local_stride: Any) -> Any:
    """Whether chunks this far apart can be one transfer."""
    near = np.less_equal(np.maximum(main_stride, local_stride), core.dma_stride_max_bytes)
    return near | np.equal(chunks, 1)


def _spannable(problem: Problem) -> bool:
    """Whether all planes of every operand are worth moving as one chunk, small gaps included."""
    stride = problem.inputs[0].plane_stride_bytes
    return all(
        planes.plane_stride_bytes == stride
        and stride - planes.rows * planes.row_pitch_bytes < CHUNK_BYTES
        for planes in problem.inputs
    )
