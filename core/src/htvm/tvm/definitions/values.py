"""Scalar expressions shared by the definitions: constants, wrapping, clipping, rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from htvm.ir.dtype import DType
from htvm.tvm.load import tirx

Expr = Any
"""A TIR scalar expression."""

_EXACT_IN_FLOAT = 2**24
_BEYOND = float(2**40)


def dtype_of(value: Expr) -> str:
    """Element type of an expression or of an element of a tensor expression."""
    return str(value.dtype if hasattr(value, "dtype") else value.ty.dtype)


def const(value: float, dtype: str) -> Expr:
    """A constant; negative values of unsigned types stand for themselves modulo their range."""
    if dtype.startswith("uint"):
        return tirx.const(int(value) % 2 ** int(dtype[4:]), dtype)
    return tirx.const(float(value) if dtype.startswith("float") else int(value), dtype)


def cast(value: Expr, dtype: str) -> Expr:
    """``value`` as ``dtype``, which must hold it."""
    return value.astype(dtype)


def signed(value: Expr) -> Expr:
    """The bits of an unsigned integer as a signed one.

    Not a cast: TVM takes casts to keep values and would drop comparisons with negative numbers.
    """
    return tirx.reinterpret(dtype_of(value)[1:], value)


def unsigned(value: Expr) -> Expr:
    """The bits of a signed integer as an unsigned one."""
    dtype = f"u{dtype_of(value)}"
    if type(value).__name__ == "IntImm":
        return const(int(value.value), dtype)
    return tirx.reinterpret(dtype, value)


def extern(dtype: str, function: str, *arguments: Expr) -> Expr:
    """A call of a C helper."""
    return tirx.call_pure_extern(dtype, function, *arguments)


def clip(value: Expr, lo: float, hi: float) -> Expr:
    """``value`` limited to ``[lo, hi]``, in its own type."""
    dtype = dtype_of(value)
    return tirx.max(tirx.min(value, const(hi, dtype)), const(lo, dtype))


def clip_to(value: Expr, lo: int, hi: int, out: DType) -> Expr:
    """An integer limited to ``[lo, hi]``, as ``out``."""
    return cast(clip(value, lo, hi), out.value)


def to_even(value: Expr) -> Expr:
    """A float32 rounded to a whole number, ties to even."""
    return tirx.nearbyint(value)


def away_from_zero(value: Expr) -> Expr:
    """A float32 rounded to a whole number, ties away from zero."""
    return extern("float32", "roundf", value)


def offset_to(whole: Expr, zero_point: int, lo: int, hi: int, out: DType) -> Expr:
    """A whole float32 plus the zero point, limited, as ``out``.

    Limits go first, so that no float outside an integer's range is converted; on whole numbers
    that is the same.
    """
    if max(abs(lo - zero_point), abs(hi - zero_point)) <= _EXACT_IN_FLOAT:
        near = clip(whole, lo - zero_point, hi - zero_point)
        return cast(cast(near, "int32") + const(zero_point, "int32"), out.value)
    far = cast(clip(whole, -_BEYOND, _BEYOND), "int64")
    return clip_to(far + const(zero_point, "int64"), lo, hi, out)


def modular(function: str, a: Expr, b: Expr) -> Expr:
    """``"add"``, ``"sub"`` or ``"mul"`` of two signed integers, modulo their type's range."""
    x, y = unsigned(a), unsigned(b)
    return signed({"add": x + y, "sub": x - y, "mul": x * y}[function])


def minus(value: Expr, zero_point: int) -> Expr:
    """An element of at most 16 bits as int32, less its zero point."""
    wide = cast(value, "int32")
    return wide - const(zero_point, "int32") if zero_point else wide


def inside(index: Sequence[Expr], extents: Sequence[int], axes: Sequence[int]) -> Expr:
    """Whether the index lies in the extents on ``axes``.

    One unsigned comparison an axis: compilers warn of pairs that cannot both hold, which TVM makes
    of two in narrow tensors.
    """
    return tirx.all(*(unsigned(index[axis]) < const(extents[axis], "uint32") for axis in axes))
