"""Convolutions and matrix products of whole numbers, their accumulators proved to fit 32 bits."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from htvm.frontend.onnx import linear
from htvm.frontend.onnx.call import Call
from htvm.frontend.onnx.carried_values import Ratio, Whole, as_whole, fits, narrowest
from htvm.frontend.onnx.grid import Grid
from htvm.frontend.onnx.rational import whole_numbers
from htvm.frontend.onnx.realise import untold
from htvm.frontend.onnx.values import Accumulated, Coded, Known, Scaled, Value
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.requant import Ints

_ONE = np.ones(1, np.int64)


def conv(call: Call) -> Value:
    """Conv of whole numbers."""
    x = as_whole(call, call.value(0))
    return _accumulated(
        call, x, linear.convolve(call, as_codes(call, x), *_constants(call), _job(call))
    )


def gemm(call: Call) -> Value:
    """Gemm of whole numbers, alpha and beta 1."""
    x = as_whole(call, call.value(0))
    linear.plain_factors(call)
    return _accumulated(
        call, x, linear.multiply(call, as_codes(call, x), *_constants(call), _job(call))
    )


def matmul(call: Call) -> Value:
    """MatMul of whole numbers with constant weights."""
    x = as_whole(call, call.value(0))
    weights, _ = _constants(call)
    return _accumulated(call, x, linear.product(call, as_codes(call, x), weights, _job(call)))


def ratio(value: Accumulated, least: Ints, most: Ints, *, divisor: int = 1) -> Ratio:
    """An accumulator of known range, divided by a whole number."""
    shared = {item.name: getattr(value, item.name) for item in fields(Accumulated)}
    zero = np.zeros(1, np.int64)
    return Ratio(**shared, mul=_ONE, add=zero, divisor=divisor, least=least, most=most)


def _accumulated(call: Call, x: Whole, value: Scaled) -> Ratio:
    weights = call.builder.tensor(value.inputs[1]).value
    if weights is None or value.channels is None:
        raise call.refuse("computed weights", "constant weights")
    flat = weights.reshape(weights.shape[0], -1).astype(np.int64)
    above = np.where(flat > 0, flat, 0).sum(axis=1)
    below = np.where(flat < 0, flat, 0).sum(axis=1)
    low, high = x.least, x.most
    if isinstance(value.op, ops.Conv2d) and any(value.op.pad):
        low, high = min(low, 0), max(high, 0)
    bias = np.zeros(1, np.int64) if value.bias is None else value.bias
    least = above * low + below * high + bias
    most = above * high + below * low + bias
    if not fits(int(least.min()), int(most.max()), DType.INT32):
        seen = f"an accumulator from {least.min()} to {most.max()}"
        raise call.refuse(seen, "accumulators that fit 32 bits for every input")
    return ratio(value, least, most)


def _job(call: Call) -> linear.Job:
    """The accumulating node; what came before it was told when its input was made whole."""
    before = (name for value in call.values if value is not None for name in untold(value))
    return linear.Job(node=call.name, output=call.output, told=(*before, call.name))


def as_codes(call: Call, x: Whole) -> Coded:
    """The tensor as if dequantised by 1, which is what it is."""
    if x.dtype not in {DType.INT8, DType.UINT8}:
        raise call.refuse(f"input from {x.least} to {x.most}", "an input clipped to 8 bits")
    grid = _unit(x.dtype)
    return Coded(
        shape=x.shape,
        node=x.node,
        name=x.name,
        tensor=x.tensor,
        dtype=x.dtype,
        table=grid.table(),
        grid=grid,
    )


def _constants(call: Call) -> tuple[Known, Known | None]:
    """Weights and bias as integers."""
    weights = _integers(call, call.value(1))
    dtype = narrowest(call, int(weights.array.min()), int(weights.array.max()))
    if dtype == DType.INT32:
        seen = f"weights from {weights.array.min()} to {weights.array.max()}"
        raise call.refuse(seen, "weights of 8 bits")
    exact = replace(weights, array=weights.array.astype(dtype.numpy), grid=_unit(dtype))
    bias = call.optional(2)
    if bias is None:
        return exact, None
    known = _integers(call, bias)
    if not fits(int(known.array.min()), int(known.array.max()), DType.INT32):
        seen = f"biases from {known.array.min()} to {known.array.max()}"
        raise call.refuse(seen, "biases that fit 32 bits")
    return exact, replace(known, array=known.array.astype(np.int32))


def _integers(call: Call, value: Value) -> Known:
    integers = whole_numbers(value.real) if isinstance(value, Known) else None
    if not isinstance(value, Known) or integers is None or not integers.size:
        seen = f"{value.name!r} is not a constant of whole numbers"
        raise call.refuse(seen, "constants that hold whole numbers; or a QDQ network")
    return replace(value, array=integers, grid=None)


def _unit(dtype: DType) -> Grid:
    return Grid(scale=np.ones(1, np.float32), zero=np.zeros(1, np.int64), dtype=dtype)
