"""What a runtime gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from htvm.ir.tensor import Array, Quantization


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """A tensor as a runtime shows it.

    Attributes:
        array: Its elements.
        quantization: What its integers stand for, where the source says so.
    """

    array: Array
    quantization: Quantization | None = None


class Runtime(Protocol):
    """Runs a network file."""

    @property
    def title(self) -> str:
        """Name and version."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's outputs."""

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Shown]:
        """Every tensor that can be shown, by name, for one sample."""


class RuntimeMissing(Exception):
    """The runtime is not installed, or cannot run the network; nothing is compared then."""
