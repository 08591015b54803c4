"""A way to tile and order a layer, and what it costs to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from htvm_diana.problem import Problem


class Policy(NamedTuple):
    """Loop order, and what is brought once and kept.

    Attributes:
        channels_outer: Loop over channels outside the loop over rows and columns.
        input_whole: All of the input is brought at the start and stays.
        weights_all: All weights are brought at the start and stay.
        output_kept: A tile of rows is stored when all its channels are there.
    """

    channels_outer: bool = False
    input_whole: bool = False
    weights_all: bool = False
    output_kept: bool = False


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A legal schedule.

    Attributes:
        channels: Output channels of a tile; the last may have fewer.
        rows: Output rows of a tile.
        columns: Output columns of a tile.
        policy: Order and residency.
        cycles: Total.
        tiles: Number of tiles.
    """

    channels: int
    rows: int
    columns: int
    policy: Policy
    cycles: int
    tiles: int


def describe(problem: Problem, candidate: Candidate) -> str:
    """The candidate for people: ``"K=16 of 64, 30 of 64 rows, channels innermost, .."``."""
    output = problem.output
    parts = [f"K={_share(candidate.channels, output.channels)}"]
    parts.append(f"{_share(candidate.rows, output.rows)} {_plural('row', output.rows)}")
    if candidate.columns < output.columns:
        parts.append(f"{candidate.columns} of {output.columns} columns")
    if candidate.channels < output.channels and _spatially_tiled(problem, candidate):
        order = "outermost" if candidate.policy.channels_outer else "innermost"
        parts.append(f"channels {order}")
    _, *kept = candidate.policy
    names = ("input stays in L1", "weights stay", "output stored whole")
    return ", ".join(parts + [name for name, stays in zip(names, kept, strict=True) if stays])


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" if part < whole else f"{whole}"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _spatially_tiled(problem: Problem, candidate: Candidate) -> bool:
    output = problem.output
    return candidate.rows < output.rows or candidate.columns < output.columns
