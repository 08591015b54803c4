"""Grids: the real numbers an 8-bit or 32-bit integer tensor stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from htvm.frontend import refuse
from htvm.ir.dtype import DType
from htvm.ir.requant import Floats, Ints
from htvm.ir.tensor import Array, Quantization

_Number = TypeVar("_Number", np.float32, np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """``real = f32(f32(integer - zero) * scale)``.

    Attributes:
        scale: Positive; length 1, or that of ``axis``.
        zero: The integers that stand for 0.0, of the same length as ``scale``.
        dtype: Type of the integers.
        axis: Axis of per-channel parameters.
    """

    scale: Floats
    zero: Ints
    dtype: DType
    axis: int | None = None

    @property
    def zero_point(self) -> int:
        """The one zero point of a grid that has no other."""
        return int(self.zero[0])

    @property
    def has_one_zero_point(self) -> bool:
        """Whether all channels share their zero point."""
        return bool((self.zero == self.zero[0]).all())

    @property
    def quantization(self) -> Quantization:
        """The same, as it is kept with tensors."""
        scale = tuple(float(value) for value in self.scale)
        return Quantization(scale=scale, zero_point=self.zero_point, axis=self.axis)

    def same(self, other: Grid) -> bool:
        """Whether both mean the same numbers by the same integers; per-tensor grids only."""
        return (
            self.axis is None
            and other.axis is None
            and self.dtype == other.dtype
            and self.scale[0] == other.scale[0]
            and self.zero[0] == other.zero[0]
        )

    def real(self, integers: Array) -> Floats:
        """The numbers, in float32."""
        scale, zero = self._along(self.scale, integers.ndim), self._along(self.zero, integers.ndim)
        offset = (integers.astype(np.int64) - zero).astype(np.float32)
        return np.asarray(offset * scale, dtype=np.float32)

    def integers(self, real: npt.ArrayLike) -> Array:
        """The nearest integers, ties to even, saturating."""
        array = np.asarray(real, dtype=np.float32)
        scale, zero = self._along(self.scale, array.ndim), self._along(self.zero, array.ndim)
        lo, hi = self.dtype.bounds
        rounded = np.rint(array / scale).astype(np.float64) + zero
        return np.asarray(np.clip(rounded, lo, hi).astype(self.dtype.numpy))

    def table(self) -> Floats:
        """The number of every 8-bit integer, from the least up."""
        lo, hi = self.dtype.bounds
        return self.real(np.arange(lo, hi + 1))

    def _along(self, values: npt.NDArray[_Number], rank: int) -> npt.NDArray[_Number]:
        if self.axis is None:
            return values.reshape(())
        return values.reshape([-1 if axis == self.axis else 1 for axis in range(rank)])


def make_grid(
    owner: str, scale: Array, zero: Array | None, dtype: DType, *, axis: int, rank: int
) -> Grid:
    """A checked grid.

    Args:
        owner: What to name in an error.
        scale: Scalar or one value a channel.
        zero: The same for zero points; None for zeros.
        dtype: Type of the integers.
        axis: Axis a per-channel scale belongs to, possibly negative.
        rank: Rank of the tensor.

    Raises:
        UnsupportedModelError: a scale is not a positive finite float32 (E205).
    """
    flat = np.asarray(scale).reshape(-1).astype(np.float32)
    if np.asarray(scale).dtype != np.float32 or not flat.size or np.asarray(scale).ndim > 1:
        seen = f"scale of type {scale.dtype}, shape {list(scale.shape)}"
        raise refuse.bad_number(owner, seen, "one float32 scale, or one for each channel")
    if not bool(np.isfinite(flat).all()) or not bool((flat > 0).all()):
        worst = flat[~(np.isfinite(flat) & (flat > 0))][0]
        raise refuse.bad_number(owner, f"scale {worst}", "finite scales above 0")
    zeros = np.zeros(1, np.int64) if zero is None else np.asarray(zero).reshape(-1).astype(np.int64)
    if zeros.size not in {1, flat.size}:
        seen = f"{zeros.size} zero points for {flat.size} scales"
        raise refuse.bad_number(owner, seen, "as many zero points as scales")
    lone = flat.size == 1
    return Grid(
        scale=flat,
        zero=np.broadcast_to(zeros, flat.shape).copy(),
        dtype=dtype,
        axis=None if lone else axis % max(rank, 1),
    )
