"""Convolutions and matrix products of dequantised tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from htvm.frontend import refuse
from htvm.frontend.onnx.call import Call, finite
from htvm.frontend.onnx.grid import Grid
from htvm.frontend.onnx.realise import made_up
from htvm.frontend.onnx.shaping import reshape, transpose
from htvm.frontend.onnx.values import Coded, Known, Scaled, Shape, Value, View
from htvm.frontend.onnx.window import Window, window
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.requant import Floats, Ints
from htvm.ir.tensor import Array

_BYTES = (DType.INT8, DType.UINT8)


@dataclass(frozen=True, kw_only=True)
class Job:
    """Names of an accumulating node and its output, and the source nodes it stands for."""

    node: str
    output: str
    told: tuple[str, ...]


def conv(call: Call) -> Value:
    """Conv of a dequantised tensor with dequantised constant weights."""
    job = Job(node=call.name, output=call.output, told=call.sources())
    return convolve(call, call.value(0), call.value(1), call.optional(2), job)


def convolve(call: Call, x: Value, w: Value, bias: Value | None, job: Job) -> Scaled:
    """The accumulator of a convolution."""
    x, grid = activation(call, x)
    weights, wgrid = weight(call, w)
    frame = framed(call, x.shape, weights.shape)
    outputs, rank = weights.shape[0], len(x.shape) - 2
    shape, acc_shape = (1, outputs, *frame.out[2 - rank :]), (1, outputs, *frame.out)
    views: tuple[View, ...] = ()
    if rank == 1:
        lifted = reshape(call, x, (1, x.shape[1], 1, x.shape[2]), made_up(call, "input"))
        x = lifted if isinstance(lifted, Coded) else x
        weights = weights.reshape(outputs, weights.shape[1], 1, weights.shape[2])
        squeeze = call.builder.fresh_node(f"{call.name}_output")
        views = (View(op=ops.Reshape(shape=shape), shape=shape, node=squeeze),)
    op = ops.Conv2d(
        stride=frame.stride,
        pad=frame.pad,
        dilation=frame.dilation,
        groups=call.integer("group", 1),
        input_zero_point=grid.zero_point,
        weight_zero_point=wgrid.zero_point,
    )
    product = _product(call, grid, wgrid, axis=0)
    inputs = (x.tensor, call.builder.constant(w.name, weights, wgrid.dtype))
    return _scaled(
        call,
        op,
        inputs,
        scale=product,
        job=job,
        acc_shape=acc_shape,
        channels=1,
        views=views,
        bias=bias,
    )


def framed(call: Call, image: Shape, weights: Shape) -> Window:
    """The window of a convolution.

    Raises:
        UnsupportedModelError: image, weights and groups do not fit each other.
    """
    rank = len(image) - 2
    groups = call.integer("group", 1)
    if rank < 1 or len(weights) != rank + 2 or image[0] != 1:
        seen = f"input {list(image)}, weights {list(weights)}"
        raise call.refuse(seen, "input (1, C, H, W) or (1, C, W) and weights of the same rank")
    if groups < 1 or image[1] != weights[1] * groups or weights[0] % groups:
        seen = f"{image[1]} channels, weights {list(weights)}, {groups} groups"
        raise call.refuse(seen, "weights (K, C/groups, ...), K a multiple of groups")
    kernel = call.integers("kernel_shape") or weights[2:]
    if tuple(kernel) != weights[2:]:
        raise call.refuse(f"kernel_shape {kernel}", f"that of the weights, {weights[2:]}")
    return window(call, image[2:], weights[2:])


def gemm(call: Call) -> Value:
    """Gemm with alpha and beta 1."""
    job = Job(node=call.name, output=call.output, told=call.sources())
    plain_factors(call)
    return multiply(call, call.value(0), call.value(1), call.optional(2), job)


def plain_factors(call: Call) -> None:
    """Check the factors of a Gemm.

    Raises:
        UnsupportedModelError: one is not 1.
    """
    for name in ("alpha", "beta"):
        if call.real(name, 1.0) != 1.0:
            raise call.refuse(f"{name} {call.real(name, 1.0)}", f"{name} 1")


def multiply(call: Call, a: Value, b: Value, bias: Value | None, job: Job) -> Scaled:
    """The accumulator of a Gemm, ``transA`` and ``transB`` taken from the node."""
    if len(a.shape) != 2 or len(b.shape) != 2:
        seen = f"operands {list(a.shape)} and {list(b.shape)}"
        raise call.refuse(seen, "two matrices")
    if call.integer("transA", 0):
        a = transpose(call, a, (1, 0), made_up(call, "transposed"))
    if not isinstance(b, Known):
        if call.integer("transB", 0):
            b = transpose(call, b, (1, 0), made_up(call, "transposed"))
        return _with_bias(call, matmul_computed(call, a, b, job), bias)
    return dense(call, a, b, bias, job, transposed=bool(call.integer("transB", 0)))


def matmul(call: Call) -> Value:
    """MatMul of a dequantised tensor with weights or with another one."""
    job = Job(node=call.name, output=call.output, told=call.sources())
    return product(call, call.value(0), call.value(1), job)


def product(call: Call, a: Value, b: Value, job: Job) -> Scaled:
    """The accumulator of a matrix product."""
    if isinstance(b, Known) and len(b.shape) == 2 and len(a.shape) >= 1:
        return dense(call, a, b, None, job, transposed=False)
    return matmul_computed(call, a, b, job)


def dense(
    call: Call, x: Value, w: Known, bias: Value | None, job: Job, *, transposed: bool
) -> Scaled:
    """The accumulator of ``x @ w``, or of ``x @ w.T`` when the weights lie transposed."""
    x, grid = activation(call, x)
    weights, wgrid = weight(call, w)
    if not transposed:
        weights = np.ascontiguousarray(weights.T)
        if wgrid.axis is not None:
            wgrid = replace(wgrid, axis=1 - wgrid.axis)
    if weights.shape[1] != x.shape[-1]:
        seen = f"{list(x.shape)} times {list(w.shape)}"
        raise call.refuse(seen, "an inner extent they share")
    shape = (*x.shape[:-1], weights.shape[0])
    op = ops.Dense(input_zero_point=grid.zero_point, weight_zero_point=wgrid.zero_point)
    scale = _product(call, grid, wgrid, axis=0)
    inputs = (x.tensor, call.builder.constant(w.name, weights, wgrid.dtype))
    channels = len(shape) - 1
    return _scaled(
        call, op, inputs, scale=scale, job=job, acc_shape=shape, channels=channels, bias=bias
    )


def matmul_computed(call: Call, a: Value, b: Value, job: Job) -> Scaled:
    """The accumulator of a product of two matrices of which the second is no weight matrix."""
    (left, agrid), (right, bgrid) = _operand(call, a), _operand(call, b)
    try:
        if min(len(a.shape), len(b.shape)) < 2 or a.shape[-1] != b.shape[-2]:
            raise ValueError
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    except ValueError as error:
        raise call.refuse(f"{list(a.shape)} times {list(b.shape)}", "matching matrices") from error
    op = ops.MatMul(a_zero_point=agrid.zero_point, b_zero_point=bgrid.zero_point)
    scale = np.asarray(agrid.scale * bgrid.scale, dtype=np.float32)
    return _scaled(call, op, (left, right), scale=scale, job=job, acc_shape=shape, channels=None)


def is_quantised(value: Value) -> bool:
    """Whether a computed value is an 8-bit tensor dequantised and nothing else."""
    return isinstance(value, Coded) and value.grid is not None


def activation(call: Call, value: Value) -> tuple[Coded, Grid]:
    """An input as dequantised 8-bit tensor.

    Raises:
        UnsupportedModelError: it is anything else.
    """
    if isinstance(value, Coded) and value.grid is not None:
        return value, value.grid
    seen = f"input {value.name!r} is not quantised"
    raise call.refuse(seen, "the output of DequantizeLinear of an int8 or uint8 tensor")


def weight(call: Call, value: Value) -> tuple[Array, Grid]:
    """Constant weights as integers.

    Raises:
        UnsupportedModelError: they are computed, float, or have several zero points.
    """
    if not isinstance(value, Known):
        raise call.refuse(f"weights {value.name!r} are computed", "constant weights")
    grid = value.grid
    if grid is None or grid.dtype not in _BYTES:
        seen = f"weights {value.name!r} of type {grid.dtype if grid else value.array.dtype}"
        raise call.refuse(seen, "weights as DequantizeLinear of an int8 or uint8 constant")
    if not grid.has_one_zero_point:
        raise call.refuse("zero points that differ by channel", "one zero point for all weights")
    return value.array, grid


def add_bias(call: Call, value: Scaled, bias: Known) -> Scaled | None:
    """Fold an Add of a constant into the accumulator; None if it is not a bias."""
    untouched = value.bias is None and value.count == 1 and not value.views
    if not untouched or value.lo > -np.inf or value.hi < np.inf or value.channels is None:
        return None
    padded = (1,) * (len(value.shape) - len(bias.shape)) + bias.shape
    if len(padded) != len(value.shape):
        return None
    per_channel = all(extent == 1 or axis == value.channels for axis, extent in enumerate(padded))
    if not per_channel:
        return None
    integers = _bias(call, bias, value.scale, value.acc_shape[value.channels])
    return replace(
        value,
        bias=integers,
        bias_name=bias.name,
        told=(*value.told, *value.sources, *bias.sources),
        sources=(),
    )


def _operand(call: Call, value: Value) -> tuple[str, Grid]:
    if not isinstance(value, Known):
        coded, grid = activation(call, value)
        return coded.tensor, grid
    array, grid = weight(call, value)
    if grid.axis is not None:
        raise call.refuse("scales that differ by channel", "one scale for this operand")
    return call.builder.constant(value.name, array, grid.dtype), grid


def _with_bias(call: Call, value: Scaled, bias: Value | None) -> Scaled:
    if bias is None:
        return value
    raise call.refuse("a bias on a product of two computed matrices", "no third input")


def _product(call: Call, x: Grid, w: Grid, *, axis: int) -> Floats:
    if w.axis is not None and w.axis != axis:
        raise call.refuse(f"weight scales along axis {w.axis}", "scales along the output channels")
    return np.asarray(x.scale * w.scale, dtype=np.float32)


def _scaled(
    call: Call,
    op: ops.Op,
    inputs: tuple[str, ...],
    *,
    scale: Floats,
    job: Job,
    acc_shape: Shape,
    channels: int | None,
    views: tuple[View, ...] = (),
    bias: Value | None = None,
) -> Scaled:
    value = Scaled(
        shape=views[-1].shape if views else acc_shape,
        node=job.node,
        name=job.output,
        op=op,
        inputs=inputs,
        job=(job.node, job.output),
        told=job.told,
        acc_shape=acc_shape,
        channels=channels,
        views=views,
        scale=scale,
    )
    if bias is None or channels is None:
        return value
    if not isinstance(bias, Known) or bias.array.size not in {1, acc_shape[channels]}:
        seen = f"bias {bias.name!r} of shape {list(bias.shape)}"
        raise call.refuse(seen, f"a constant bias of {acc_shape[channels]} elements")
    integers = _bias(call, bias, scale, acc_shape[channels])
    return replace(value, bias=integers, bias_name=bias.name)


def _bias(call: Call, bias: Known, scale: Floats, channels: int) -> Ints:
    """A bias in units of the accumulator.

    Integers made for that unit are taken as they are, as onnxruntime does; anything else is
    divided by the unit in float32 and rounded to even.
    """
    grid = bias.grid
    unit = np.broadcast_to(scale, (channels,))
    made_for_it = bias.array.dtype == np.int32
    if made_for_it and grid is not None:
        given = np.broadcast_to(grid.scale, (channels,))
        made_for_it = not grid.zero.any() and np.allclose(given, unit, rtol=1e-4, atol=0)
    if made_for_it:
        return np.broadcast_to(bias.array.reshape(-1), (channels,)).astype(np.int64)
    real = finite(call, bias.name, bias.real).reshape(-1).astype(np.float32)
    rounded = np.rint(np.broadcast_to(real, (channels,)) / unit).astype(np.float64)
    lo, hi = DType.INT32.bounds
    if rounded.min() < lo or rounded.max() > hi:
        worst = float(rounded[np.abs(rounded).argmax()])
        seen = f"{worst:.0f} units of the accumulator (read by node {call.name!r})"
        raise refuse.bad_number(f"bias {bias.name!r}", seen, "biases that fit 32 bits")
    return np.asarray(rounded, dtype=np.int64)
