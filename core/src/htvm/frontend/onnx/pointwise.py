"""Functions applied to every element: activations, and arithmetic of two tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from htvm.frontend.onnx.call import Call
from htvm.frontend.onnx.functions import FUNCTIONS, bounds, checked, tabulate
from htvm.frontend.onnx.linear import add_bias
from htvm.frontend.onnx.realise import Label, as_float, label, stored, untold
from htvm.frontend.onnx.values import Coded, Joined, Known, Scaled, Stored, Value
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.requant import Floats

Function = Literal["add", "sub", "mul", "div", "min", "max"]

_FLOAT32: dict[str, Callable[[Floats, Floats], Floats]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "min": np.minimum,
    "max": np.maximum,
}
_BINARY: dict[str, Function] = {
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "Min": "min",
    "Max": "max",
    "Sum": "add",
}


def activation(call: Call) -> Value:
    """A function of one tensor: bounds of what follows, or a table of what went before."""
    value = call.value(0)
    limits = bounds(call)
    if limits is not None:
        return _clip(call, value, *limits)
    return _tabulated(call, value)


def _tabulated(call: Call, value: Value) -> Value:
    if isinstance(value, Known):
        real = np.asarray(value.real, dtype=np.float32)
        return _known(call, value, tabulate(call, real))
    if isinstance(value, Coded):
        return _recoded(call, value, tabulate(call, value.table))
    if isinstance(value, Joined):
        parts = tuple(_tabulated(call, part) for part in value.parts)
        return replace(value, parts=parts, name=call.output)
    seen = f"input {value.name!r} is not an 8-bit tensor"
    raise call.refuse(seen, "the output of DequantizeLinear; put a QDQ pair before this node")


def _clip(call: Call, value: Value, lo: float, hi: float) -> Value:
    if lo > hi:
        raise call.refuse(f"bounds {lo} to {hi}", "a lower bound not above the upper one")
    if isinstance(value, Known):
        return _known(call, value, np.clip(value.real, lo, hi).astype(value.real.dtype))
    if isinstance(value, Coded):
        table = np.clip(value.table, np.float32(lo), np.float32(hi))
        return _recoded(call, value, np.asarray(table, dtype=np.float32))
    if isinstance(value, Joined):
        parts = tuple(_clip(call, part, lo, hi) for part in value.parts)
        return replace(value, parts=parts, name=call.output)
    if isinstance(value, Stored) and value.dtype != DType.FLOAT32:
        return _integer_clip(call, value, lo, hi)
    if isinstance(value, Scaled | Stored):
        return replace(
            value,
            lo=float(np.clip(value.lo, lo, hi)),
            hi=float(np.clip(value.hi, lo, hi)),
            node=call.name,
            name=call.output,
            sources=(*value.sources, call.name),
        )
    raise call.refuse(f"input {value.name!r}", "a tensor")


def _integer_clip(call: Call, value: Stored, lo: float, hi: float) -> Value:
    least, most = value.dtype.bounds
    tensor = call.builder.node(
        ops.Clip(lo=max(lo, least), hi=min(hi, most)),
        (value.tensor,),
        name=call.name,
        output=call.output,
        shape=value.shape,
        dtype=value.dtype,
        sources=call.sources(value),
        quantization=call.builder.tensor(value.tensor).quantization,
    )
    return stored(value, tensor, value.dtype, label(call))


def binary(call: Call) -> Value:
    """Arithmetic of two tensors, or of several one after the other."""
    function = _BINARY[call.node.op]
    total = call.value(0)
    for index in range(1, len(call.values)):
        total = combine(call, function, total, call.value(index))
    return total


def power(call: Call) -> Value:
    """Pow with a constant exponent."""
    exponent = call.number(1)
    value = call.value(0)
    if exponent is None or not isinstance(value, Coded):
        raise call.refuse(f"base {value.name!r}", "a dequantised tensor and a constant exponent")
    known = float(exponent)
    return _recoded(call, value, checked(call, lambda _, x: np.power(x, known), value.table))


def combine(call: Call, function: Function, a: Value, b: Value) -> Value:
    """One function of two values: a bias, a table, or an elementwise node in float32."""
    biased = _as_bias(call, function, a, b)
    if biased is not None:
        return replace(biased, node=call.name, name=call.output, told=(*biased.told, call.name))
    table = _as_table(call, function, a, b)
    if table is not None:
        return table
    return elementwise(call, function, a, b, label(call))


def elementwise(call: Call, function: Function, a: Value, b: Value, target: Label) -> Stored:
    """The function in float32, as the source's runtime computes it."""
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError as error:
        raise call.refuse(f"shapes {a.shape} and {b.shape}", "shapes that broadcast") from error
    tensor = call.builder.node(
        ops.Elementwise(function=function),
        (as_float(call, a), as_float(call, b)),
        name=call.builder.fresh_node(target.node),
        output=target.output,
        shape=shape,
        dtype=DType.FLOAT32,
        sources=(*untold(a), *untold(b), *target.sources),
    )
    return Stored(shape=shape, node=target.node, name=tensor, tensor=tensor, dtype=DType.FLOAT32)


def _as_bias(call: Call, function: Function, a: Value, b: Value) -> Scaled | None:
    if function != "add":
        return None
    if isinstance(a, Scaled) and isinstance(b, Known):
        return add_bias(call, a, b)
    if isinstance(b, Scaled) and isinstance(a, Known):
        return add_bias(call, b, a)
    return None


def _as_table(call: Call, function: Function, a: Value, b: Value) -> Value | None:
    base = a if isinstance(a, Coded) else b
    if not isinstance(base, Coded):
        return None
    left, right = (_column(value, base) for value in (a, b))
    if left is None or right is None:
        return None
    with np.errstate(all="ignore"):
        table = np.broadcast_to(_FLOAT32[function](left, right), (256,))
    if not bool(np.isfinite(table).all()):
        raise call.refuse("no finite value somewhere", "a function finite on its whole input")
    return replace(
        base,
        table=np.array(table, dtype=np.float32),
        grid=None,
        node=call.name,
        name=call.output,
        sources=call.sources(a, b),
    )


def _column(value: Value, base: Coded) -> Floats | None:
    """The operand as numbers of each code of ``base``, if it depends on nothing else."""
    if isinstance(value, Coded) and value.tensor == base.tensor:
        return value.table
    if isinstance(value, Known) and value.array.size == 1 and len(value.shape) <= len(base.shape):
        return np.asarray(value.real, dtype=np.float32).reshape(1)
    return None


def _known(call: Call, value: Known, array: Floats) -> Known:
    return replace(value, array=array, grid=None, name=call.output, sources=call.sources(value))


def _recoded(call: Call, value: Coded, table: Floats) -> Coded:
    return replace(
        value,
        table=table,
        grid=None,
        node=call.name,
        name=call.output,
        sources=call.sources(value),
    )


POINTWISE = dict.fromkeys((*FUNCTIONS, "Relu", "Clip"), activation)
BINARY = dict.fromkeys(_BINARY, binary)
