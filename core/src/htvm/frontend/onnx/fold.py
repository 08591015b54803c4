"""Nodes that depend on constants only, computed at once.

They hold the shapes, bounds and weights that exporters leave as little programs.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from htvm.frontend import refuse
from htvm.frontend.onnx.call import Call
from htvm.frontend.onnx.values import Known, Value

Numbers = npt.NDArray[Any]

_MOST_MADE = 2**26
"""Elements a constant may have that the file describes without holding it."""

_DTYPES = {1: "f4", 2: "u1", 3: "i1", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8"}


def fold(call: Call) -> Known | None:
    """The node's result, if it can be known now."""
    if call.node.op == "Shape":
        return _known(call, _shape(call))
    function = _FUNCTIONS.get(call.node.op)
    if function is None or not all(isinstance(v, Known) or v is None for v in call.values):
        return None
    arrays = [value.real for value in call.values if isinstance(value, Known)]
    try:
        with np.errstate(all="ignore"):
            return _known(call, np.asarray(function(call, *arrays)))
    except (ValueError, IndexError, TypeError, ZeroDivisionError) as error:
        raise call.refuse(f"constants that do not fit: {error}", "matching constants") from error


def _known(call: Call, array: Numbers) -> Known:
    return Known(
        shape=array.shape,
        node=call.name,
        name=call.output,
        array=array,
        sources=call.sources() if call.node.op != "Shape" else (call.name,),
    )


def _shape(call: Call) -> Numbers:
    value: Value = call.value(0)
    start, end = call.integer("start", 0), call.integer("end", len(value.shape))
    return np.array(value.shape[start:end], dtype=np.int64)


def _constant(call: Call) -> Numbers:
    given = call.node.attributes
    for name, dtype in (("value_int", "i8"), ("value_ints", "i8")):
        if name in given:
            return np.array(given[name], dtype=dtype)
    for name in ("value_float", "value_floats"):
        if name in given:
            return np.array(given[name], dtype="f4")
    value = given.get("value")
    if not isinstance(value, np.ndarray):
        raise call.refuse(f"attributes {sorted(given)}", "a value of numbers")
    return value


def _filled(call: Call, shape: Numbers) -> Numbers:
    extents = tuple(int(extent) for extent in shape.reshape(-1))
    if prod(extents) > _MOST_MADE or min(extents, default=0) < 0:
        raise refuse.too_large(call.output, extents)
    value = call.node.attributes.get("value")
    fill = value.reshape(-1)[0] if isinstance(value, np.ndarray) else np.float32(0)
    return np.full(extents, fill)


def _cast(call: Call, x: Numbers) -> Numbers:
    code = call.integer("to", 0)
    if code not in _DTYPES:
        raise call.refuse(f"a cast to type number {code}", "a cast to a number")
    return x.astype(_DTYPES[code])


def _gather(call: Call, x: Numbers, indices: Numbers) -> Numbers:
    return np.take(x, indices, axis=call.integer("axis", 0))


def _concat(call: Call, *parts: Numbers) -> Numbers:
    return np.concatenate(parts, axis=call.integer("axis", 0))


def _expand(call: Call, x: Numbers, shape: Numbers) -> Numbers:
    extents = np.broadcast_shapes(x.shape, tuple(int(extent) for extent in shape))
    if prod(extents) > _MOST_MADE:
        raise refuse.too_large(call.output, extents)
    return np.broadcast_to(x, extents)


def _range(call: Call, start: Numbers, limit: Numbers, step: Numbers) -> Numbers:
    count = abs((limit - start) / step) if step else np.inf
    if not count <= _MOST_MADE:
        raise call.refuse(f"{count} elements", f"at most {_MOST_MADE}")
    values: Numbers = np.arange(start.item(), limit.item(), step.item())
    return values.astype(start.dtype)


def _divide(_: Call, a: Numbers, b: Numbers) -> Numbers:
    if a.dtype.kind in "iu":
        return np.asarray(np.trunc(a.astype("f8") / b)).astype(a.dtype)
    return np.asarray(a / b)


_FUNCTIONS: dict[str, Callable[..., Numbers]] = {
    "Add": lambda _, a, b: a + b,
    "Cast": _cast,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Div": _divide,
    "Equal": lambda _, a, b: a == b,
    "Expand": _expand,
    "Floor": lambda _, x: np.floor(x),
    "Gather": _gather,
    "Greater": lambda _, a, b: a > b,
    "Less": lambda _, a, b: a < b,
    "Max": lambda _, *a: np.maximum.reduce(a),
    "Min": lambda _, *a: np.minimum.reduce(a),
    "Mul": lambda _, a, b: a * b,
    "Neg": lambda _, x: -x,
    "Pow": lambda _, a, b: np.power(a, b).astype(a.dtype),
    "Range": _range,
    "ReduceProd": lambda _, x: np.prod(x, keepdims=True),
    "Reciprocal": lambda _, x: 1 / x,
    "Round": lambda _, x: np.rint(x),
    "Sqrt": lambda _, x: np.sqrt(x),
    "Sub": lambda _, a, b: a - b,
    "Where": lambda _, c, a, b: np.asarray(np.where(c, a, b)),
}
