"""How good a quantised network is beside the one it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from htvm.errors import UsageError
from htvm.ir.tensor import Array
from htvm.numerics.sqnr import decibels
from htvm.quantization.network import Floats

Run = Callable[[Mapping[str, Floats]], Floats]
"""What a network returns, in real numbers."""

_AT_ONCE = 64
"""Samples run together; what they need in memory does not grow with their number."""
_EXACT_DB = 300.0
"""More than float32 can have."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Of a network on a set of samples.

    Attributes:
        sqnr_db: Power of the source network's output over that of the difference from it.
        correct: Samples whose greatest output is the label's; None without labels.
    """

    sqnr_db: float
    correct: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """What networks are judged by.

    Attributes:
        arrays: By input name, samples first.
        wanted: What the source network returns.
        labels: The right class of each sample, where known.
        origin: Where they are from, for people.
    """

    arrays: Mapping[str, Floats]
    wanted: Floats
    labels: Array | None
    origin: str

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.wanted)

    @property
    def source_correct(self) -> int | None:
        """Samples the source network gets right; None without labels."""
        return None if self.labels is None else _correct(self.wanted, self.labels)

    def quality(self, run: Run) -> Quality:
        """Of a network."""
        given = run_in_parts(run, self.arrays)
        return Quality(
            sqnr_db=sqnr_db(self.wanted, mean_squared(given, self.wanted)),
            correct=None if self.labels is None else _correct(given, self.labels),
        )


def judged_by(
    source: Run, arrays: Mapping[str, Floats], labels: Array | None, origin: str
) -> Samples:
    """Samples with what the source network makes of them.

    Args:
        source: The network that is right.
        arrays: By input name, samples first.
        labels: The right class of each sample, where known.
        origin: Where they are from, for people.

    Raises:
        UsageError: The labels are no numbers of outputs of the network (E158).
    """
    wanted = run_in_parts(source, arrays)
    if labels is not None:
        _check_labels(labels, wanted[0].size, origin)
    return Samples(arrays=arrays, wanted=wanted, labels=labels, origin=origin)


def run_in_parts(run: Run, arrays: Mapping[str, Floats]) -> Floats:
    """The outputs for all samples, a part of them at a time."""
    return np.concatenate([run(part) for part in _parts(arrays)])


def mean_squared(given: Floats, wanted: Floats) -> float:
    """Mean squared difference."""
    return float(np.mean((given - wanted) ** 2, dtype=np.float64))


def sqnr_db(wanted: Floats, loss: float) -> float:
    """Signal to noise for a mean squared difference; without one, the signal does not matter."""
    found = decibels(float(np.mean(np.square(wanted, dtype=np.float64))), loss)
    return _EXACT_DB if found is None else found


def _parts(arrays: Mapping[str, Floats]) -> Iterator[dict[str, Floats]]:
    count = len(next(iter(arrays.values())))
    for first in range(0, count, _AT_ONCE):
        yield {name: array[first : first + _AT_ONCE] for name, array in arrays.items()}


def _correct(given: Floats, labels: Array) -> int:
    best = given.reshape(len(given), -1).argmax(axis=1)
    return int((best == labels.astype(np.int64)).sum())


def _check_labels(labels: Array, scores: int, origin: str) -> None:
    if scores > 1 and int(labels.min()) >= 0 and int(labels.max()) < scores:
        return
    raise UsageError(
        f"the labels in {origin} are no classes of this network",
        code="E158",
        seen=f"labels from {labels.min()} to {labels.max()}, {scores} outputs",
        accepted="the number of the output that should be greatest, from 0"
        if scores > 1
        else "a network with an output for each class",
        hint="--min-sqnr DB needs no labels",
    )
