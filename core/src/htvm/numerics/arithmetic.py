"""Integer arithmetic shared by the reference kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from htvm.ir.dtype import DType

Numbers = npt.NDArray[Any]
"""An array of any element type, inside kernels where the type is known from the op."""

_FLOAT32_EXACT = 2**24


def wrap_int32(values: Numbers) -> Numbers:
    """Integers (or floats that hold integers below 2**53) reduced modulo 2**32 to int32."""
    wrapped: Numbers = values.astype(np.int64).astype(np.int32)
    return wrapped


def integer_matmul(a: Numbers, b: Numbers) -> Numbers:
    """``matmul`` of small integers, exact, as int64.

    BLAS has no integer product; a float one is exact while every partial sum stays below the
    mantissa, which the operands' magnitudes prove: int8 operands would need 2**37 terms to reach
    2**53, and float32 serves while the bound is under 2**24.
    """
    bound = a.shape[-1] * _magnitude(a) * _magnitude(b)
    carrier = np.float32 if bound < _FLOAT32_EXACT else np.float64
    product: Numbers = np.matmul(a.astype(carrier), b.astype(carrier)).astype(np.int64)
    return product


def _magnitude(values: Numbers) -> int:
    if not values.size:
        return 0
    return max(abs(int(values.min())), abs(int(values.max())))


def along(parameters: npt.ArrayLike, axis: int | None, rank: int) -> Numbers:
    """Per-channel parameters shaped to broadcast along ``axis`` of a tensor of ``rank`` axes."""
    values = np.asarray(parameters)
    if axis is None or values.size == 1:
        return values.reshape(())
    shape = [1] * rank
    shape[axis] = values.size
    return values.reshape(shape)


def clip_to(values: Numbers, lo: int, hi: int, out: DType) -> Numbers:
    """``values`` limited to ``[lo, hi]``, as ``out``."""
    limited: Numbers = np.clip(values, lo, hi).astype(out.numpy)
    return limited


def divide_truncating(numerator: Numbers, denominator: Numbers | int) -> Numbers:
    """C's integer division: towards zero. ``denominator`` is positive."""
    quotient: Numbers = np.sign(numerator) * (np.abs(numerator) // denominator)
    return quotient
