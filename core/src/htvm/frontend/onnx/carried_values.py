"""Whole numbers carried in floats: what is known of them, and how they become integers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

import numpy as np

from htvm.frontend.onnx.call import Call
from htvm.frontend.onnx.rational import floor_by_shift
from htvm.frontend.onnx.realise import Label, settle
from htvm.frontend.onnx.values import Accumulated, Stored, Value
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.requant import Ints, ShiftRequant

_LIMIT = 2**63


@dataclass(frozen=True, kw_only=True, eq=False)
class Whole(Stored):
    """An integer tensor whose elements are known to lie in ``[least, most]``."""

    least: int
    most: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Ratio(Accumulated):
    """``clip((accumulator * mul + add) / divisor, lower, upper)``, floored or not yet.

    Attributes:
        mul: Factors, length 1 or that of ``channels``.
        add: Summands, of the same length.
        divisor: Above 0.
        least: Least values of the accumulator, of the same length as ``mul``.
        most: Greatest values of the accumulator.
        lower: Lower bound of a Clip or Relu so far.
        upper: Upper bound.
        floored: Whether Floor has been met.
    """

    mul: Ints
    add: Ints
    divisor: int
    least: Ints
    most: Ints
    lower: Fraction | None = None
    upper: Fraction | None = None
    floored: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether this is the accumulator itself."""
        affine = bool((self.mul == 1).all() and (self.add == 0).all())
        return affine and self.divisor == 1 and self.lower is None and self.upper is None

    def extremes(self) -> tuple[int, int]:
        """Least and greatest numerator over all channels."""
        ends = [
            int(acc) * int(mul) + int(add)
            for side in (self.least, self.most)
            for acc, mul, add in zip(*_equal_length(side, self.mul, self.add), strict=True)
        ]
        return min(ends), max(ends)


def _equal_length(*arrays: Ints) -> list[Ints]:
    length = max(array.size for array in arrays)
    return [np.broadcast_to(array, (length,)) for array in arrays]


def fits(least: int, most: int, dtype: DType) -> bool:
    """Whether a type holds a range."""
    lo, hi = dtype.bounds
    return lo <= least and most <= hi


def narrowest(call: Call, least: int, most: int) -> DType:
    """int8 if it holds the range, else uint8, else int32.

    Raises:
        UnsupportedModelError: not even int32 does.
    """
    for dtype in (DType.INT8, DType.UINT8, DType.INT32):
        if fits(least, most, dtype):
            return dtype
    raise call.refuse(f"values from {least} to {most}", "values that fit 32 bits")


def as_whole(call: Call, value: Value) -> Whole:
    """The value in an integer tensor.

    Raises:
        UnsupportedModelError: it is not whole, or its range cannot be proved to fit.
    """
    if isinstance(value, Whole):
        return value
    if not isinstance(value, Ratio):
        raise call.refuse(f"input {value.name!r} is a constant", "a computed tensor")
    least, most = _range(call, value)
    made = call.builder.made("whole", value.name)
    if made is None:
        made = _make(call, value, least, most)
        call.builder.remember("whole", value.name, made)
    dtype = call.builder.tensor(made).dtype
    return Whole(
        shape=value.shape,
        node=value.node,
        name=value.name,
        tensor=made,
        dtype=dtype,
        least=least,
        most=most,
    )


def _make(call: Call, value: Ratio, least: int, most: int) -> str:
    target = Label(node=value.node, output=value.name)
    if value.is_plain:
        return settle(call, value, None, target, dtype=DType.INT32)
    lower = least if value.lower is None else floor(value.lower)
    upper = most if value.upper is None else floor(value.upper)
    dtype = narrowest(call, lower, upper)
    mul, add, shift = _scaled(call, value)
    length = max(mul.size, add.size)
    lo, hi = max(lower, dtype.bounds[0]), min(upper, dtype.bounds[1])
    op = ShiftRequant(
        out=dtype,
        lo=lo,
        hi=hi,
        axis=value.channels if length > 1 else None,
        mul=np.broadcast_to(mul, (length,)).copy(),
        add=np.broadcast_to(add, (length,)).copy(),
        shift=np.full(length, shift, dtype=np.int64),
    )
    return settle(call, value, op, target, dtype=dtype)


def _range(call: Call, value: Ratio) -> tuple[int, int]:
    """Least and greatest element, after the clip."""
    if not value.floored and value.divisor != 1:
        seen = f"input {value.name!r} is a quotient by {value.divisor} without Floor"
        raise call.refuse(seen, "Floor before the next op, as quantlib and NEMO write it")
    low, high = value.extremes()
    if max(abs(low), abs(high)) >= _LIMIT:
        raise call.refuse(f"products from {low} to {high}", "products that fit 64 bits")
    least, most = low // value.divisor, high // value.divisor
    if value.lower is not None:
        least, most = max(least, floor(value.lower)), max(most, floor(value.lower))
    if value.upper is not None:
        least, most = min(least, floor(value.upper)), min(most, floor(value.upper))
    return least, most


def _scaled(call: Call, value: Ratio) -> tuple[Ints, Ints, int]:
    """Multiplier, summand and shift of the division, exact on the whole range."""
    shift = value.divisor.bit_length() - 1
    if value.divisor == 1 << shift and shift < 64:
        return value.mul, value.add, shift
    low, high = value.extremes()
    found = floor_by_shift(value.divisor, low, high)
    if found is None:
        seen = f"a division by {value.divisor} of values from {low} to {high}"
        raise call.refuse(seen, "a power of two, or a range that leaves room in 64 bits")
    mul, add, shift = found
    return value.mul * mul, value.add * mul + add, shift


def as_int32(call: Call, value: Value, index: int) -> tuple[str, int, int]:
    """An operand of integer arithmetic: an int32 tensor and its range."""
    whole = as_whole(call, value)
    if whole.dtype == DType.INT32:
        return whole.tensor, whole.least, whole.most
    made = call.builder.made("int32", whole.tensor)
    if made is None:
        made = call.builder.node(
            ops.Cast(out=DType.INT32),
            (whole.tensor,),
            name=call.builder.fresh_node(f"{call.name}_in{index}"),
            output=call.builder.fresh_tensor(f"{whole.tensor}_int32"),
            shape=whole.shape,
            dtype=DType.INT32,
            sources=(call.name,),
        )
        call.builder.remember("int32", whole.tensor, made)
    return made, whole.least, whole.most


def clipped(call: Call, value: Ratio, lo: Fraction | None, hi: Fraction | None) -> Ratio:
    """The value with the bounds of one more Clip or Relu."""
    if value.floored and any(bound is not None and bound.denominator > 1 for bound in (lo, hi)):
        raise call.refuse(f"bounds {lo} and {hi} of whole numbers", "whole bounds")
    lower, upper = value.lower, value.upper
    if lo is not None:
        lower = lo if lower is None else max(lower, lo)
        upper = None if upper is None else max(upper, lo)
    if hi is not None:
        upper = hi if upper is None else min(upper, hi)
        lower = None if lower is None else min(lower, hi)
    return replace(
        value,
        lower=lower,
        upper=upper,
        node=call.name,
        name=call.output,
        sources=(*value.sources, call.name),
    )
