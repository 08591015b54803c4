"""Ops whose activations the file leaves in float32, between DEQUANTIZE and QUANTIZE.

Weights are floats too. A hybrid op, int8 weights with float activations, is refused: TFLite
quantises its activations anew for every input, on a scale nobody knows beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite

import numpy as np
import numpy.typing as npt

from htvm.frontend.tflite import pooling
from htvm.frontend.tflite.activation import unary
from htvm.frontend.tflite.arithmetic import operands
from htvm.frontend.tflite.call import Call
from htvm.frontend.tflite.convolution import filters, framed, rows_of, weights_of
from htvm.frontend.tflite.multiplier import real_range
from htvm.frontend.tflite.reduction import summed
from htvm.frontend.tflite.scope import Form
from htvm.ir.dtype import DType
from htvm.ir.ops import (
    Clip,
    Elementwise,
    FloatConv2d,
    FloatDense,
    MaxPool2d,
    Op,
    SumPool2d,
)

_FLOAT32 = DType.FLOAT32
_GREATEST = float(np.finfo(np.float32).max)
_ACTIVATIONS = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}


def convolution(call: Call) -> None:
    """CONV_2D and DEPTHWISE_CONV_2D."""
    weights, groups = filters(call, "FLOAT32")
    frame = framed(call, weights.shape[2:])
    op = FloatConv2d(stride=frame.stride, pad=frame.pad, dilation=frame.dilation, groups=groups)
    inputs = (
        call.image(0),
        call.scope.constant(call.input(1), "oihw", weights),
        *_bias(call, weights.shape[0]),
    )
    _activated(call, op, inputs, (1, weights.shape[0], *frame.size), "image")


def fully_connected(call: Call) -> None:
    """FULLY_CONNECTED."""
    weights = weights_of(call, 2, "FLOAT32")
    rows = rows_of(call, weights.shape[1])
    shape = (*call.scope.tensor(rows).shape[:-1], weights.shape[0])
    table = call.scope.constant(call.input(1), "oi", weights)
    inputs = (rows, table, *_bias(call, weights.shape[0]))
    _activated(call, FloatDense(), inputs, shape, "plain")


def arithmetic(call: Call) -> None:
    """ADD, SUB and MUL."""
    op = _FUNCTIONS[call.operator.kind]
    names, shape, form = operands(call)
    _activated(call, op, names, shape, form)


def max_pool_2d(call: Call) -> None:
    """MAX_POOL_2D."""
    image, kernel, stride, pad, shape = pooling.window(call)
    _activated(call, MaxPool2d(kernel=kernel, stride=stride, pad=pad), (image,), shape, "image")


def average_pool_2d(call: Call) -> None:
    """AVERAGE_POOL_2D: padding is not counted."""
    image, kernel, stride, pad, shape = pooling.window(call)
    _, _, *extents = call.scope.tensor(image).shape
    counts = []
    for axis in (0, 1):
        starts = np.arange(shape[2 + axis]) * stride[axis] - pad[axis]
        inside = np.minimum(starts + kernel[axis], extents[axis]) - np.maximum(starts, 0)
        counts.append(inside)
    op = SumPool2d(kernel=kernel, stride=stride, pad=pad)
    total = call.emit(op, (image,), shape, _FLOAT32, "sum")
    _divided(call, total, np.outer(*counts).reshape(1, 1, *shape[2:]), "image")


def mean(call: Call) -> None:
    """MEAN."""
    total, count, form = summed(call, _FLOAT32, 0)
    shape = call.scope.tensor(total).shape
    name = _constant(call, np.array(count))
    call.finish(Elementwise(function="div"), (total, name), shape, form)


def relu(call: Call) -> None:
    """RELU, RELU6 and RELU_N1_TO_1."""
    unary(call, _clip(real_range(_ACTIVATIONS[call.operator.kind]) or (0.0, 0.0)))


def _divided(call: Call, total: str, counts: npt.NDArray[np.int64], form: Form) -> None:
    same = counts[:1, :1, :1, :1] if bool((counts == counts.flat[0]).all()) else counts
    shape = call.scope.tensor(total).shape
    inputs = (total, _constant(call, same))
    _activated(call, Elementwise(function="div"), inputs, shape, form)


def _constant(call: Call, value: npt.NDArray[np.int64]) -> str:
    return call.scope.added(f"{call.name}_count", value.astype(np.float32))


def _bias(call: Call, outputs: int) -> tuple[str, ...]:
    if not call.has(2):
        return ()
    value = call.constant(2)
    if value.dtype != np.float32 or value.shape != (outputs,):
        seen = f"bias {value.dtype} of shape {list(value.shape)}"
        raise call.refuse(seen, f"a FLOAT32 bias of {outputs}")
    return (call.scope.constant(call.input(2), "bias", value),)


def _activated(
    call: Call, op: Op, inputs: tuple[str, ...], shape: tuple[int, ...], form: Form
) -> None:
    """Append an op, and the activation fused with it."""
    if call.output().type != "FLOAT32":
        raise call.refuse(f"result of type {call.output().type}", "FLOAT32")
    function = call.operator.flag("FusedActivationFunction")
    bounds = real_range(function)
    if bounds is None:
        raise call.refuse(f"fused activation {function}", "none, RELU, RELU6 or RELU_N1_TO_1")
    if not any(map(isfinite, bounds)):
        call.finish(op, inputs, shape, form)
        return
    raw = call.emit(op, inputs, shape, _FLOAT32, "raw")
    call.finish(_clip(bounds), (raw,), shape, form)


def _clip(bounds: tuple[float, float]) -> Clip:
    return Clip(lo=max(bounds[0], -_GREATEST), hi=min(bounds[1], _GREATEST))


_FUNCTIONS = {
    "ADD": Elementwise(function="add"),
    "MUL": Elementwise(function="mul"),
    "SUB": Elementwise(function="sub"),
}

FLOAT_RULES: Mapping[str, Callable[[Call], None]] = {
    **dict.fromkeys(_FUNCTIONS, arithmetic),
    **dict.fromkeys(_ACTIVATIONS, relu),
    "AVERAGE_POOL_2D": average_pool_2d,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": convolution,
    "FULLY_CONNECTED": fully_connected,
    "MAX_POOL_2D": max_pool_2d,
    "MEAN": mean,
}
