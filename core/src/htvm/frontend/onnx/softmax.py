"""Softmax: of a dequantised tensor by a table, and onnxruntime's quantised one."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, floor, log, prod

import numpy as np

from htvm.frontend.onnx.call import Call
from htvm.frontend.onnx.grid import Grid
from htvm.frontend.onnx.linear import activation
from htvm.frontend.onnx.realise import Label, label, made_up, stored
from htvm.frontend.onnx.shaping import reshape
from htvm.frontend.onnx.values import Coded, Stored, Value
from htvm.ir import ops
from htvm.ir.dtype import DType

_RESERVED_LOG = 5.0
_MAX_FLOAT32 = float(np.finfo(np.float32).max)


def softmax(call: Call) -> Value:
    """Softmax of a dequantised tensor, in float32."""
    value, grid = activation(call, call.value(0))
    distance = np.arange(256) * np.float64(grid.scale[0])
    table = np.exp(-distance).astype(np.float32)
    return _over_rows(
        call,
        value,
        opset=call.opset,
        make=lambda axis: ops.SoftmaxTable(table=table, axis=axis),
        dtype=DType.FLOAT32,
        out=None,
    )


def qlinear_softmax(call: Call, value: Coded, out: Grid) -> Value:
    """com.microsoft's QLinearSoftmax."""
    grid = value.grid
    if grid is None or out.dtype != value.dtype:
        raise call.refuse(f"output of type {out.dtype}", f"the type of the input, {value.dtype}")
    opset = call.integer("opset", 13)
    axis = call.axis(call.integer("axis", 1 if opset < 13 else -1), len(value.shape))
    summed = prod(value.shape[axis:]) if opset < 13 else value.shape[axis]
    table = exponentials(float(grid.scale[0]), summed)
    scale = float(floor(np.float32(1) / out.scale[0]))
    return _over_rows(
        call,
        value,
        opset=opset,
        make=lambda place: ops.QLinearSoftmax(
            table=table, scale=scale, zero_point=out.zero_point, axis=place
        ),
        dtype=out.dtype,
        out=out,
    )


def exponentials(scale: float, summed: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Onnxruntime's table: lifted as far as a sum of ``summed`` entries stays below infinity."""
    lift = max(0.0, log(np.float32(_MAX_FLOAT32 / summed)) - _RESERVED_LOG) / scale
    return np.array([exp((code - 255 + lift) * scale) for code in range(256)], dtype=np.float32)


def _over_rows(
    call: Call,
    value: Coded,
    *,
    opset: int,
    make: Callable[[int], ops.Op],
    dtype: DType,
    out: Grid | None,
) -> Value:
    """Apply a softmax; before opset 13 it runs over all axes from the given one on."""
    rank = len(value.shape)
    axis = call.axis(call.integer("axis", 1 if opset < 13 else -1), rank)
    target, shape = label(call), value.shape
    if opset < 13 and prod(shape[axis + 1 :]) > 1:
        rows = reshape(call, value, (prod(shape[:axis]), prod(shape[axis:])), made_up(call, "rows"))
        done = _apply(call, rows, make(1), made_up(call, "softmax"), dtype=dtype, out=out)
        return reshape(call, done, shape, target)
    return _apply(call, value, make(axis), target, dtype=dtype, out=out)


def _apply(
    call: Call, value: Value, op: ops.Op, target: Label, *, dtype: DType, out: Grid | None
) -> Stored:
    coded, _ = activation(call, value)
    tensor = call.builder.node(
        op,
        (coded.tensor,),
        name=target.node,
        output=target.output,
        shape=coded.shape,
        dtype=dtype,
        sources=call.sources(coded),
        quantization=out.quantization if out is not None else None,
    )
    return stored(coded, tensor, dtype, target)
