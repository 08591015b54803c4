"""Which part of the input a tile of the output needs.

Jobs start at addresses that are multiples of 16, so a tile of columns cannot begin at its halo. It
begins 16 output columns early instead, and the columns spoilt by the padding the core puts there
are computed but not stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from htvm_diana.cycles import CHUNK_BYTES, LANES
from htvm_diana.problem import Problem, round_up


@dataclass(frozen=True, kw_only=True)
class Columns:
    """A tile of output columns.

    Attributes:
        x: First column stored and the one after the last.
        first: First column computed.
        origin: Input column the job starts at.
        columns: Input columns the job reads.
        lead: Columns brought to the left of the origin, so that a length rounded up to whole
            transfer units stays in the row.
        whole: Whether the tile is all of the width.
    """

    x: tuple[int, int]
    first: int
    origin: int
    columns: int
    lead: int = 0
    whole: bool

    @property
    def skipped(self) -> int:
        """Columns computed but not stored."""
        return self.x[0] - self.first

    @property
    def brought_bytes(self) -> int:
        """What is brought of each input row if rows are brought one by one."""
        return round_up(self.lead + self.columns, CHUNK_BYTES)

    @property
    def pitch_bytes(self) -> int:
        """From one output row to the next in L1."""
        return round_up(self.x[1] - self.first, LANES)

    @property
    def stored_bytes(self) -> int:
        """What is stored of each row, in whole groups of 16 columns."""
        return round_up(self.x[1] - self.x[0], LANES)


def column_tiles(problem: Problem, width: int) -> tuple[Columns, ...]:
    """The width cut into tiles of ``width`` columns; a last one may be narrower."""
    total = problem.output.columns
    return tuple(
        _columns(problem, start, min(start + width, total)) for start in range(0, total, width)
    )


def _columns(problem: Problem, start: int, end: int) -> Columns:
    total, real = problem.output.columns, problem.inputs[0].columns
    if (start, end) == (0, total):
        return Columns(x=(0, total), first=0, origin=0, columns=real, whole=True)
    first = start - LANES if start and problem.pad_side else start
    origin = first * problem.stride
    needed = (end - 1) * problem.stride + problem.kernel[1] - problem.pad_side
    columns = min(real, needed) - origin
    beyond = origin + round_up(columns, CHUNK_BYTES) > problem.inputs[0].row_pitch_bytes
    return Columns(
        x=(start, end),
        first=first,
        origin=origin,
        columns=columns,
        lead=LANES if beyond and origin else 0,
        whole=False,
    )


def column_widths(problem: Problem) -> tuple[int, ...]:
    """Tile widths worth trying: all of it, then multiples of a transfer's unit, widest first.

    Maps of one kernel column and a stride of 1 or more may lie to the right of every input column;
    such widths are left out.
    """
    total = problem.output.columns
    cut = range(CHUNK_BYTES, total, CHUNK_BYTES)
    return (
        total,
        *(
            width
            for width in reversed(cut)
            if all(tile.columns > 0 for tile in column_tiles(problem, width))
        ),
    )


def rows_needed(problem: Problem, start: Any, end: Any) -> tuple[Any, Any]:
    """Input rows ``[first, end)`` that output rows ``[start, end)`` need.

    A tile of all rows takes all of the input, so that whole planes move as one chunk. Takes
    integers or integer arrays.
    """
    real = problem.inputs[0].rows
    top = np.multiply(start, problem.stride) - problem.pad_top
    bottom = np.subtract(end, 1) * problem.stride + problem.kernel[0] - problem.pad_top
    everything = np.equal(start, 0) & np.equal(end, problem.output.rows)
    first = np.where(everything, 0, np.maximum(top, 0))
    return first, np.where(everything, real, np.minimum(bottom, real))
