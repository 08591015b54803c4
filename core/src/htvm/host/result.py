"""The result of verification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from htvm.ir.tensor import Array


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """The first element in which the generated C and the reference differ.

    Attributes:
        layer: Name of the layer.
        inputs: Which input array: ``"random 3"``, ``"given 12"``.
        index: Index in the logical tensor.
        expected: The reference's element.
        seen: The element the generated C wrote.
        run: 1 for the first inference with this input, 2 for the one right after it.
    """

    layer: str
    inputs: str
    index: tuple[int, ...]
    expected: float
    seen: float
    run: int


@dataclass(frozen=True, kw_only=True)
class LayerCheck:
    """One layer's comparison.

    Attributes:
        name: Name of the step.
        elements: Elements compared.
        mismatches: Elements that differ.
        cycles: Cycles the emulation counted in one inference; None where nothing counts them.
    """

    name: str
    elements: int
    mismatches: int
    cycles: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Verification:
    """What was compared, and what came of it.

    Attributes:
        reference: What the generated C was compared with.
        compiler: The C compiler and its version.
        sanitized: Whether AddressSanitizer and UndefinedBehaviorSanitizer were on.
        samples: Input arrays tried, by kind: ``"random"``, ``"extreme"``, ``"given"``.
        layers: One per step, in execution order.
        first_divergence: None when everything is equal.
        outputs: What the generated C returned for the given inputs: output name -> array with a
            leading axis of samples. Empty when none were given.
    """

    reference: str
    compiler: str
    sanitized: bool
    samples: Mapping[str, int]
    layers: tuple[LayerCheck, ...]
    first_divergence: Divergence | None
    outputs: Mapping[str, Array] = field(default_factory=dict)

    @property
    def elements(self) -> int:
        """Elements compared."""
        return sum(layer.elements for layer in self.layers)

    @property
    def mismatches(self) -> int:
        """Elements that differ."""
        return sum(layer.mismatches for layer in self.layers)
