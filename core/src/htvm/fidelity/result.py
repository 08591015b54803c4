"""What comparing with the source network came to."""

from __future__ import annotations

from dataclasses import dataclass

MOST_DB = 100.0
"""What is counted for a tensor without error, and for one with hardly any."""


@dataclass(frozen=True, kw_only=True)
class TensorError:
    """One tensor of the network against the source's tensor of the same name.

    Attributes:
        tensor: Its name.
        elements: Elements compared.
        max_lsb: Greatest error, in steps of the tensor; None for a tensor of real numbers.
        mean_lsb: Mean of the errors' magnitudes, in steps; None for a tensor of real numbers.
        sqnr_db: Power of the source's numbers over that of the error; None without any error.
        lost_db: By how much that is less than the least of the tensors it was computed from, each
            counted as at most 100 dB.
    """

    tensor: str
    elements: int
    max_lsb: float | None
    mean_lsb: float | None
    sqnr_db: float | None
    lost_db: float


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How often the network and its source name the same class.

    Attributes:
        samples: Samples compared.
        same: Samples with the same class.
        source_correct: Samples for which the source names the label; None without labels.
    """

    samples: int
    same: int
    source_correct: int | None


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """The network against its source.

    Attributes:
        runtime: What ran the source: its name and version.
        source: The source's file.
        samples: Samples compared.
        same_network: Whether the source is the very network that was deployed, not one that it
            was quantised from.
        agreement: None where the outputs are no scores of classes.
        tensors: In execution order.
    """

    runtime: str
    source: str
    samples: int
    same_network: bool
    agreement: Agreement | None
    tensors: tuple[TensorError, ...]

    @property
    def worst(self) -> TensorError | None:
        """The tensor in which the most is lost; None if none loses anything."""
        losing = [error for error in self.tensors if error.lost_db > 0]
        return max(losing, key=lambda error: error.lost_db, default=None)
