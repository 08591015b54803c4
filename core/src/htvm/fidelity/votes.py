"""How often a network and its source name the same class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htvm.fidelity.result import Agreement
from htvm.ir.graph import Graph
from htvm.ir.tensor import Array


@dataclass(kw_only=True, eq=False)
class Votes:
    """The classes named so far.

    Attributes:
        labels: One for every sample, in order; None without labels.
    """

    labels: Array | None
    samples: int = 0
    same: int = 0
    correct: int = 0

    def add(self, ours: Array, theirs: Array) -> None:
        """Count one sample's scores."""
        named = int(np.argmax(theirs.reshape(-1)))
        self.same += int(np.argmax(ours.reshape(-1))) == named
        if self.labels is not None:
            self.correct += named == int(self.labels[self.samples].item())
        self.samples += 1

    @property
    def agreement(self) -> Agreement:
        """What the votes come to."""
        correct = None if self.labels is None else self.correct
        return Agreement(samples=self.samples, same=self.same, source_correct=correct)


def names_classes(graph: Graph) -> bool:
    """Whether the output is scores of classes, rather than as many numbers as the input has."""
    if len(graph.outputs) != 1:
        return False
    elements = graph.tensors[graph.outputs[0]].elements
    return elements > 1 and all(graph.tensors[name].elements != elements for name in graph.inputs)
