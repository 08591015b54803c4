"""The five arithmetics of requantisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from htvm.ir.graph import Node
from htvm.ir.ops import Op
from htvm.ir.requant import (
    FloatRequant,
    Mulshift31Requant,
    ShiftRequant,
    TfliteRequant,
)
from htvm.tvm.definitions.builder import Builder, Index
from htvm.tvm.definitions.values import (
    Expr,
    cast,
    clip_to,
    const,
    extern,
    modular,
    offset_to,
    to_even,
)
from htvm.tvm.helpers import SCALE_EMULATED, SCALE_Q31
from htvm.tvm.load import te

Scaling = Callable[[Expr, Index], Expr]
_MANTISSA_BITS = 24


def shift_requant(builder: Builder, node: Node, op: ShiftRequant) -> Any:
    """Define :class:`~htvm.ir.requant.ShiftRequant`."""
    mul = builder.parameter(op.mul, op.axis, "int64", "mul")
    add = builder.parameter(op.add, op.axis, "int64", "add")
    shift = builder.parameter(op.shift, op.axis, "int64", "shift")

    def scaled(acc: Expr, index: Index) -> Expr:
        product = modular("mul", cast(acc, "int64"), mul(index))
        total = modular("add", product, add(index)) >> shift(index)
        return clip_to(total, op.lo, op.hi, op.out)

    return _elementwise(builder, node, scaled)


def mulshift31_requant(builder: Builder, node: Node, op: Mulshift31Requant) -> Any:
    """Define :class:`~htvm.ir.requant.Mulshift31Requant`."""
    mul = builder.parameter(op.mul, op.axis, "int64", "mul")
    half = builder.parameter(np.int64(1) << (op.shift - 1), op.axis, "int64", "half")
    shift = builder.parameter(op.shift, op.axis, "int64", "shift")

    def scaled(acc: Expr, index: Index) -> Expr:
        product = modular("mul", cast(acc, "int64"), mul(index))
        total = modular("add", product, half(index)) >> shift(index)
        return clip_to(total + const(op.zero_point, "int64"), op.lo, op.hi, op.out)

    return _elementwise(builder, node, scaled)


def tflite_requant(builder: Builder, node: Node, op: TfliteRequant) -> Any:
    """Define :class:`~htvm.ir.requant.TfliteRequant`."""
    mul = builder.parameter(op.mul, op.axis, "int32", "mul")
    exponent = builder.parameter(op.exponent, op.axis, "int32", "exponent")

    def scaled(acc: Expr, index: Index) -> Expr:
        value = cast(acc, "int32")
        if op.input_zero_point:
            value = modular("sub", value, const(op.input_zero_point, "int32"))
        if op.left_shift:
            value = modular("mul", value, const(2**op.left_shift, "int32"))
        product = extern("int32", SCALE_Q31, value, mul(index), exponent(index))
        total = cast(product, "int64") + const(op.zero_point, "int64")
        return clip_to(total, op.lo, op.hi, op.out)

    return _elementwise(builder, node, scaled)


def float_requant(builder: Builder, node: Node, op: FloatRequant) -> Any:
    """Define :class:`~htvm.ir.requant.FloatRequant`."""
    if op.emulated:
        return _emulated_requant(builder, node, op)
    scale = builder.parameter(op.scale, op.axis, "float32", "scale")

    def scaled(acc: Expr, index: Index) -> Expr:
        product = cast(acc, "float32") * scale(index)
        return offset_to(to_even(product), op.zero_point, op.lo, op.hi, op.out)

    return _elementwise(builder, node, scaled)


def _emulated_requant(builder: Builder, node: Node, op: FloatRequant) -> Any:
    mantissa, exponent = np.frexp(op.scale.astype(np.float64))
    whole = np.asarray(mantissa * 2**_MANTISSA_BITS).astype(np.int32)
    factor = builder.parameter(whole, op.axis, "int32", "factor")
    power = builder.parameter(exponent - _MANTISSA_BITS, op.axis, "int32", "power")

    def scaled(acc: Expr, index: Index) -> Expr:
        arguments = cast(acc, "int64"), factor(index), power(index)
        total = extern("int64", SCALE_EMULATED, *arguments)
        return clip_to(total + const(op.zero_point, "int64"), op.lo, op.hi, op.out)

    return _elementwise(builder, node, scaled)


def _elementwise(builder: Builder, node: Node, scaled: Scaling) -> Any:
    (source,) = builder.operands(node)
    return te.compute(source.shape, lambda *i: scaled(source[i], i), "requantised")


REQUANTS: dict[type[Op], Callable[..., Any]] = {
    ShiftRequant: shift_requant,
    Mulshift31Requant: mulshift31_requant,
    TfliteRequant: tflite_requant,
    FloatRequant: float_requant,
}
