"""The input arrays a network is verified with, cut into batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from htvm.deployment import VerifyOptions
from htvm.host.inputs import InputSet
from htvm.ir.graph import Graph
from htvm.ir.tensor import Array
from htvm.numerics import random_inputs

EXTREMES = 6
"""Samples of extreme values: each pattern there is, and one of ends at random."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Samples of one kind.

    Attributes:
        kind: ``"random"``, ``"extreme"`` or ``"given"``.
        arrays: By input name, samples along axis 0.
        count: Number of samples.
    """

    kind: str
    arrays: Mapping[str, Array]
    count: int


def samples(
    graph: Graph, options: VerifyOptions, given: Sequence[InputSet] = ()
) -> tuple[Samples, ...]:
    """The user's own samples, and all others asked for."""
    found = [Samples(kind="given", arrays=own.arrays, count=own.samples) for own in given]
    if options.extreme:
        extreme = random_inputs(graph, EXTREMES, options.seed, "extreme")
        found.append(Samples(kind="extreme", arrays=extreme, count=EXTREMES))
    if options.random:
        arrays = random_inputs(graph, options.random, options.seed)
        found.append(Samples(kind="random", arrays=arrays, count=options.random))
    return tuple(found)


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Some samples of one kind.

    Attributes:
        kind: Their kind.
        arrays: By input name, samples along axis 0.
        labels: What each sample is called.
    """

    kind: str
    arrays: Mapping[str, Array]
    labels: tuple[str, ...]

    def sample_bytes(self, graph: Graph) -> list[bytes]:
        """Each sample's inputs in the graph's order, joined."""
        per_input = [
            [part.tobytes() for part in _split(self.arrays[name], len(self.labels))]
            for name in graph.inputs
        ]
        return [b"".join(parts) for parts in zip(*per_input, strict=True)]


def _split(array: Array, count: int) -> Sequence[Array]:
    size = array.shape[0] // count
    return [array[at * size : (at + 1) * size] for at in range(count)]


def batches(graph: Graph, groups: Sequence[Samples], most: int) -> Iterator[Batch]:
    """All samples in batches of at most ``most``."""
    for group in groups:
        for start in range(0, group.count, most):
            stop = min(start + most, group.count)
            yield Batch(
                kind=group.kind,
                arrays={
                    name: _cut(array, graph.tensors[name].shape[0], start, stop)
                    for name, array in group.arrays.items()
                },
                labels=tuple(f"{group.kind} {index}" for index in range(start, stop)),
            )


def _cut(array: Array, size: int, start: int, stop: int) -> Array:
    part: Array = array[start * size : stop * size]
    return part
