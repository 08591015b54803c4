"""QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from htvm.frontend.onnx.call import Call
from htvm.frontend.onnx.grid import Grid, make_grid
from htvm.frontend.onnx.realise import label, quantise, stored
from htvm.frontend.onnx.values import Coded, Known, Stored, Value
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.tensor import Array

_BYTES = (DType.INT8, DType.UINT8)
_ACCEPTED = "int8 or uint8"
_OUTPUT_TYPES = {2: "uint8", 3: "int8"}


def quantize(call: Call) -> Value:
    """QuantizeLinear: this is where promised tensors are computed."""
    zero = call.known(2)
    declared = call.integer("output_dtype", 0)
    name = str(zero.dtype) if zero is not None else _OUTPUT_TYPES.get(declared or 2, "")
    if name not in set(_BYTES):
        raise call.refuse(f"output of type {name or declared}", _ACCEPTED)
    value = call.value(0)
    grid = _grid(call, zero, DType(name), value)
    return quantise(call, value, grid, label(call))


def dequantize(call: Call) -> Value:
    """DequantizeLinear: only remembered; a consumer decides whether floats are needed."""
    value, zero = call.value(0), call.known(2)
    if isinstance(value, Known):
        dtype = _integer_type(call, str(value.array.dtype), (*_BYTES, DType.INT32))
        grid = _grid(call, zero, dtype, value)
        return replace(value, grid=grid, sources=(*value.sources, call.name))
    if not isinstance(value, Stored):
        raise call.refuse(f"input {value.name!r} is a float", "an integer tensor")
    dtype = _integer_type(call, str(value.dtype), (*_BYTES, DType.INT32))
    return dequantised(call, value, _grid(call, zero, dtype, value))


def dequantised(call: Call, value: Stored, grid: Grid) -> Value:
    """An integer tensor read on a grid."""
    if grid.axis is None and grid.dtype in _BYTES:
        call.builder.annotate(value.tensor, grid.quantization)
        return Coded(
            shape=value.shape,
            node=call.name,
            name=call.output,
            sources=(*value.sources, call.name),
            tensor=value.tensor,
            dtype=grid.dtype,
            table=grid.table(),
            grid=grid,
        )
    if not grid.has_one_zero_point:
        raise call.refuse("zero points that differ by channel", "one zero point a tensor")
    tensor = call.builder.node(
        ops.Dequantize(scale=grid.scale, zero_point=grid.zero_point, axis=grid.axis),
        (value.tensor,),
        name=call.name,
        output=call.output,
        shape=value.shape,
        dtype=DType.FLOAT32,
        sources=(*value.sources, call.name),
    )
    return stored(value, tensor, DType.FLOAT32, label(call))


def _grid(call: Call, zero: Array | None, dtype: DType, value: Value) -> Grid:
    if call.integer("block_size", 0):
        raise call.refuse("scales in blocks", "one scale, or one for each channel")
    scale = call.known(1)
    if scale is None:
        raise call.refuse("no scale", "a constant scale")
    axis, rank = call.integer("axis", 1), len(value.shape)
    if scale.size > 1:
        axis = call.axis(axis, rank)
        if value.shape[axis] != scale.size:
            seen = f"{scale.size} scales along axis {axis} of {list(value.shape)}"
            raise call.refuse(seen, "one scale for each channel")
    if zero is not None and zero.dtype.kind not in "iu":
        raise call.refuse(f"zero point of type {zero.dtype}", _ACCEPTED)
    return make_grid(f"node {call.name!r}", scale, zero, dtype, axis=axis, rank=rank)


def _integer_type(call: Call, name: str, accepted: tuple[DType, ...]) -> DType:
    if name not in set(accepted):
        raise call.refuse(f"input of type {name}", ", ".join(accepted))
    return DType(name)


def operand_grid(call: Call, scale: int, zero: int, dtype: DType, *, rank: int, axis: int) -> Grid:
    """The grid given by a scale and a zero point input, as QLinear ops have them."""
    factors = call.known(scale)
    if factors is None:
        raise call.refuse(f"input {scale} is absent", "a constant scale")
    points = call.known(zero)
    if points is not None and str(points.dtype) != dtype.value:
        raise call.refuse(f"zero point of type {points.dtype}", f"{dtype}")
    owner = f"node {call.name!r}"
    return make_grid(owner, np.asarray(factors), points, dtype, axis=axis, rank=rank)
