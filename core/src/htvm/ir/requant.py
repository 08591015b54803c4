"""The one requantisation op and its arithmetics.

An integer layer ends in at most one requantisation from its accumulator. Each class below is one
arithmetic; which one a layer has is the source network's decision and is never changed silently.
Per-channel parameters have the length of the tensor's ``axis``; per-tensor ones have length 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from htvm.ir.dtype import DType
from htvm.ir.ops import Op

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Requant(Op):
    """Integer tensor -> integer tensor of type ``out``, clipped to ``[lo, hi]``.

    Attributes:
        out: Element type of the result.
        lo: Least value of the result (an absorbed ReLU raises it).
        hi: Greatest value of the result (an absorbed ReLU6 lowers it).
        axis: Axis of per-channel parameters in the input; None when all have length 1.
    """

    out: DType
    lo: int
    hi: int
    axis: int | None = None

    @property
    def mode(self) -> str:
        """Short name of the arithmetic, as reports show it."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, eq=False)
class ShiftRequant(Requant):
    """``clip((acc * mul + add) >> shift, lo, hi)``: int64 inside, arithmetic shift, floor.

    Accelerators, quantlib, NEMO and Quantlab have this form. ``shift`` is 0..63.
    """

    mul: Ints
    add: Ints
    shift: Ints

    @property
    def mode(self) -> str:
        """Short name of the arithmetic."""
        return "shift"


@dataclass(frozen=True, kw_only=True, eq=False)
class Mulshift31Requant(Requant):
    """``clip(((acc * mul + 2**(shift-1)) >> shift) + zero_point, lo, hi)``, ``mul`` of 31 bits.

    One rounding, half up; int64 inside. ``shift`` is 1..62.
    """

    mul: Ints
    shift: Ints
    zero_point: int

    @property
    def mode(self) -> str:
        """Short name of the arithmetic."""
        return "mulshift31"


@dataclass(frozen=True, kw_only=True, eq=False)
class TfliteRequant(Requant):
    """TFLite's reference ``MultiplyByQuantizedMultiplier``: a Q31 multiplier, two roundings.

    ``x = (acc - input_zero_point) << left_shift``; with ``exponent > 0`` x is first shifted left
    by it; then the saturating rounding doubling high multiply by ``mul``, then the rounding
    (half away from zero) division by ``2**-exponent`` when ``exponent < 0``; then
    ``+ zero_point`` and the clip.

    Attributes:
        mul: Q31 multipliers, int32 range.
        exponent: Powers of two, positive to the left.
        zero_point: Added after rounding.
        input_zero_point: Subtracted first (elementwise ops; 0 for accumulators).
        left_shift: Head room given to elementwise inputs (20 in ADD).
    """

    mul: Ints
    exponent: Ints
    zero_point: int
    input_zero_point: int = 0
    left_shift: int = 0

    @property
    def mode(self) -> str:
        """Short name of the arithmetic."""
        return "tflite"


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatRequant(Requant):
    """``clip(rint(f32(f32(acc) * scale)) + zero_point, lo, hi)``, half to even.

    Every step rounds to float32; the zero point is added after rounding (onnxruntime's QLinear
    kernels). ``emulated`` asks for the same result from int64 arithmetic, for a host without FPU.
    """

    scale: Floats
    zero_point: int
    emulated: bool = False

    @property
    def mode(self) -> str:
        """Short name of the arithmetic."""
        return "f32_emul" if self.emulated else "f32"
