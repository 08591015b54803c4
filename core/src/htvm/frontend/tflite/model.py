"""A TFLite file as plain values: no flatbuffer is touched after decoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np
import numpy.typing as npt

Option = int | float | bool | tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class FileTensor:
    """A tensor of the file.

    Attributes:
        index: Its number in the file.
        name: Unique, never empty.
        shape: In the file's order; a dynamic batch is 1.
        dynamic: Axes whose extent the file leaves open.
        type: The schema's name of the element type, such as ``"INT8"``.
        scale: Empty, one value, or one per index of ``axis``.
        zero_point: As long as ``scale``.
        axis: The axis of per-channel scales.
        data: The bytes of a constant; None for a computed tensor.
        unusual: What sets it apart from a plain tensor (variable, sparse), or empty.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: str
    dynamic: tuple[int, ...] = ()
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    axis: int = 0
    data: npt.NDArray[np.uint8] | None = None
    unusual: str = ""

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Operator:
    """One op of the file.

    Attributes:
        kind: The schema's name, such as ``"CONV_2D"``.
        inputs: Tensor numbers; -1 for one left out.
        outputs: Tensor numbers.
        options: The attributes this front end reads, by the schema's names.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option] = field(default_factory=dict)

    def flag(self, name: str) -> int:
        """An option that is an integer, an enumeration or a truth value."""
        value = self.options[name]
        return 0 if isinstance(value, tuple) else int(value)

    def real(self, name: str) -> float:
        """An option that is a real number."""
        value = self.options[name]
        return 0.0 if isinstance(value, tuple) else float(value)


@dataclass(frozen=True, kw_only=True, eq=False)
class FileModel:
    """The main subgraph of a file.

    Attributes:
        inputs: Tensor numbers of the network's inputs.
        outputs: Tensor numbers of the network's outputs.
        tensors: By number.
        operators: In execution order.
        version: Of the schema.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tensors: tuple[FileTensor, ...]
    operators: tuple[Operator, ...]
    version: int
