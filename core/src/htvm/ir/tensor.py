"""Tensors: names, shapes, types, and the real numbers that integers stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from htvm.ir.dtype import DType

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """``real = scale * (integer - zero_point)``, known at an end of the network or to explain.

    Attributes:
        scale: One value, or one per index of ``axis``.
        zero_point: The integer that stands for 0.0.
        axis: The axis of a per-channel scale.
    """

    scale: tuple[float, ...]
    zero_point: int = 0
    axis: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """A value of the network, computed or constant.

    Attributes:
        name: Unique in its graph; the source's own name where it has one.
        shape: Logical shape. Images are ``(1, C, H, W)`` whatever the source used.
        dtype: Element type.
        quantization: What the integers mean, when the source says so.
        value: The elements of a constant, of ``shape`` and ``dtype``; None for a computed tensor.
        bounds: Least and greatest element a computed integer tensor is proved to hold, where that
            is less than what its type does.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None = None
    value: Array | None = None
    bounds: tuple[int, int] | None = None

    @property
    def span(self) -> tuple[int, int]:
        """Least and greatest element that are known; those of an integer type at most."""
        return self.bounds or self.dtype.bounds

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes without any padding."""
        return self.elements * self.dtype.size_bytes

    @property
    def is_constant(self) -> bool:
        """Whether the value is known at compile time."""
        return self.value is not None


def constant(name: str, value: npt.ArrayLike, dtype: DType) -> Tensor:
    """A constant tensor holding a read-only copy of ``value``."""
    array = np.array(value, dtype=dtype.numpy)
    array.setflags(write=False)
    return Tensor(name=name, shape=array.shape, dtype=dtype, value=array)


TensorMap = Mapping[str, Tensor]
