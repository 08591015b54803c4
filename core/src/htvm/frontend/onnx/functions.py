"""The float functions of one variable that a table of 256 entries can stand for.

Each is computed in float64 from float32 arguments and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erf, inf, sqrt

import numpy as np

from htvm.frontend.onnx.call import Call
from htvm.ir.requant import Floats

Doubles = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Function = Callable[[Call, Doubles], Doubles]


def _erf(x: Doubles) -> Doubles:
    return np.array([erf(value) for value in x.reshape(-1)]).reshape(x.shape)


def _sigmoid(x: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-x)))


def _elu(call: Call, x: Doubles) -> Doubles:
    return np.where(x < 0, call.real("alpha", 1.0) * np.expm1(x), x)


def _selu(call: Call, x: Doubles) -> Doubles:
    alpha, gamma = call.real("alpha", 1.67326319217681884765625), call.real("gamma", 1.0507010221)
    return gamma * np.where(x < 0, alpha * np.expm1(x), x)


def _celu(call: Call, x: Doubles) -> Doubles:
    alpha = call.real("alpha", 1.0)
    return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(x / alpha))


def _gelu(call: Call, x: Doubles) -> Doubles:
    if call.text("approximate", "none") == "tanh":
        return _fast_gelu(call, x)
    return 0.5 * x * (1 + _erf(x / sqrt(2)))


def _fast_gelu(_: Call, x: Doubles) -> Doubles:
    inner = sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)
    return np.asarray(0.5 * x * (1 + np.tanh(inner)))


def _hard_sigmoid(call: Call, x: Doubles) -> Doubles:
    return np.clip(call.real("alpha", 0.2) * x + call.real("beta", 0.5), 0, 1)


def _thresholded(call: Call, x: Doubles) -> Doubles:
    return np.where(x > call.real("alpha", 1.0), x, 0)


def _prelu(call: Call, x: Doubles) -> Doubles:
    slope = call.number(1)
    return np.where(x < 0, (1.0 if slope is None else slope) * x, x)


FUNCTIONS: dict[str, Function] = {
    "Abs": lambda _, x: np.abs(x),
    "Ceil": lambda _, x: np.ceil(x),
    "Celu": _celu,
    "Cos": lambda _, x: np.cos(x),
    "Elu": _elu,
    "Erf": lambda _, x: _erf(x),
    "Exp": lambda _, x: np.exp(x),
    "Floor": lambda _, x: np.floor(x),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda _, x: x * np.clip(x / 6 + 0.5, 0, 1),
    "LeakyRelu": lambda call, x: np.where(x < 0, call.real("alpha", 0.01) * x, x),
    "Log": lambda _, x: np.log(x),
    "Mish": lambda _, x: x * np.tanh(np.log1p(np.exp(x))),
    "Neg": lambda _, x: -x,
    "PRelu": _prelu,
    "Reciprocal": lambda _, x: 1 / x,
    "Round": lambda _, x: np.rint(x),
    "Selu": _selu,
    "Sigmoid": lambda _, x: _sigmoid(x),
    "Sign": lambda _, x: np.sign(x),
    "Sin": lambda _, x: np.sin(x),
    "Softplus": lambda _, x: np.logaddexp(x, 0),
    "Softsign": lambda _, x: x / (1 + np.abs(x)),
    "Sqrt": lambda _, x: np.sqrt(x),
    "Tanh": lambda _, x: np.tanh(x),
    "ThresholdedRelu": _thresholded,
    "com.microsoft.FastGelu": _fast_gelu,
    "com.microsoft.Gelu": lambda _, x: 0.5 * x * (1 + _erf(x / sqrt(2))),
    "com.microsoft.QuickGelu": lambda call, x: x * _sigmoid(call.real("alpha", 1.702) * x),
}


def tabulate(call: Call, x: Floats) -> Floats:
    """The node's function of every element.

    Raises:
        UnsupportedModelError: the function has no finite value somewhere in the table.
    """
    return checked(call, FUNCTIONS[call.node.op], x)


def checked(call: Call, function: Function, x: Floats) -> Floats:
    """A function of every element, in float32 and finite.

    Raises:
        UnsupportedModelError: the function has no finite value somewhere.
    """
    with np.errstate(all="ignore"):
        result = np.asarray(function(call, x.astype(np.float64))).astype(np.float32)
    if not bool(np.isfinite(result).all()):
        where = float(x.reshape(-1)[~np.isfinite(result.reshape(-1))][0])
        raise call.refuse(f"no finite value at {where:g}", "a function finite on its whole input")
    return result


def bounds(call: Call) -> tuple[float, float] | None:
    """Bounds of an activation that only clips, else None."""
    if call.node.op == "Relu":
        return 0.0, inf
    if call.node.op != "Clip":
        return None
    if "min" in call.node.attributes or "max" in call.node.attributes:
        return call.real("min", -inf), call.real("max", inf)
    lo, hi = call.number(1), call.number(2)
    return -inf if lo is None else lo, inf if hi is None else hi
