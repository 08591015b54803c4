"""What a benchmark found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Cell = str | int | float


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of one benchmark.

    Attributes:
        claim: What was measured and what is expected of it.
        rows: One per case: column -> value. All rows have the same columns.
        met: Whether the expectation holds in every row.
    """

    claim: str
    rows: Sequence[Mapping[str, Cell]]
    met: bool

    def to_json(self) -> dict[str, object]:
        """As an object of a JSON document."""
        return {"claim": self.claim, "met": self.met, "rows": [dict(row) for row in self.rows]}

    @property
    def table(self) -> str:
        """The rows for people: columns aligned, floats with three digits."""
        lines = [list(self.rows[0]), *([_shown(cell) for cell in r.values()] for r in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        )


def _shown(cell: Cell) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:#.3g}"
