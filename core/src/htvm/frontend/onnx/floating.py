"""Convolutions and matrix products, in integers where both operands are, else in float32.

A quantiser may leave layers out. What such a layer reads is dequantised and its weights are floats;
it stays in float32, and so does what follows until something is quantised again.
"""

from __future__ import annotations

import numpy as np

from htvm.frontend.onnx import linear
from htvm.frontend.onnx.call import Call, finite
from htvm.frontend.onnx.realise import Label, as_float, label, made_up, untold
from htvm.frontend.onnx.shaping import as_real, reshape, transpose
from htvm.frontend.onnx.values import Known, Shape, Stored, Value
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.requant import Floats


def conv(call: Call) -> Value:
    """Conv with constant weights."""
    x, w = call.value(0), call.value(1)
    if not _is_float(x, w):
        return linear.conv(call)
    weights = _weights(call, w)
    frame = linear.framed(call, x.shape, weights.shape)
    op = ops.FloatConv2d(
        stride=frame.stride,
        pad=frame.pad,
        dilation=frame.dilation,
        groups=call.integer("group", 1),
    )
    outputs = weights.shape[0]
    if len(x.shape) == 4:
        shape = (1, outputs, *frame.out)
        return _product(call, op, x, w, weights, shape=shape, target=label(call))
    row = reshape(call, as_real(call, x), (*x.shape[:2], 1, x.shape[2]), made_up(call, "input"))
    lifted = weights.reshape(*weights.shape[:2], 1, weights.shape[2])
    target, shape = made_up(call, "image"), (1, outputs, 1, frame.out[1])
    image = _product(call, op, row, w, lifted, shape=shape, target=target)
    return reshape(call, image, (1, outputs, frame.out[1]))


def gemm(call: Call) -> Value:
    """Gemm with constant weights, alpha and beta 1."""
    x, w = call.value(0), call.value(1)
    if not _is_float(x, w):
        return linear.gemm(call)
    linear.plain_factors(call)
    if len(x.shape) != 2 or len(w.shape) != 2:
        seen = f"operands {list(x.shape)} and {list(w.shape)}"
        raise call.refuse(seen, "two matrices")
    if call.integer("transA", 0):
        x = transpose(call, x, (1, 0), made_up(call, "transposed"))
    return _dense(call, x, w, transposed=bool(call.integer("transB", 0)))


def matmul(call: Call) -> Value:
    """MatMul with constant weights, or of two dequantised tensors."""
    x, w = call.value(0), call.value(1)
    if not _is_float(x, w) or len(w.shape) != 2 or not x.shape:
        return linear.matmul(call)
    return _dense(call, x, w, transposed=False)


def _is_float(x: Value, w: Value) -> bool:
    """Whether the product has no integers to be computed with; weights must be constant."""
    if not isinstance(w, Known):
        return False
    return w.array.dtype == np.float32 or not linear.is_quantised(x)


def _dense(call: Call, x: Value, w: Value, *, transposed: bool) -> Stored:
    weights = _weights(call, w)
    if not transposed:
        weights = np.ascontiguousarray(weights.T)
    if weights.shape[1] != x.shape[-1]:
        seen = f"{list(x.shape)} times {list(w.shape)}"
        raise call.refuse(seen, "an inner extent they share")
    shape = (*x.shape[:-1], weights.shape[0])
    return _product(call, ops.FloatDense(), x, w, weights, shape=shape, target=label(call))


def _weights(call: Call, w: Value) -> Floats:
    if not isinstance(w, Known) or w.real.dtype != np.float32:
        raise call.refuse(f"weights {w.name!r}", "constant weights, float32 or dequantised")
    return np.asarray(finite(call, w.name, w.real), dtype=np.float32)


def _product(
    call: Call,
    op: ops.FloatConv2d | ops.FloatDense,
    x: Value,
    w: Value,
    weights: Floats,
    *,
    shape: Shape,
    target: Label,
) -> Stored:
    inputs = [as_float(call, x), call.builder.constant(w.name, weights, DType.FLOAT32)]
    bias = call.optional(2)
    if bias is not None:
        inputs.append(_bias(call, bias, weights.shape[0]))
    tensor = call.builder.node(
        op,
        tuple(inputs),
        name=target.node,
        output=target.output,
        shape=shape,
        dtype=DType.FLOAT32,
        sources=(*untold(x), *w.sources, *target.sources),
    )
    return Stored(shape=shape, node=target.node, name=tensor, tensor=tensor, dtype=DType.FLOAT32)


def _bias(call: Call, bias: Value, outputs: int) -> str:
    if not isinstance(bias, Known) or bias.array.size not in {1, outputs}:
        seen = f"bias {bias.name!r} of shape {list(bias.shape)}"
        raise call.refuse(seen, f"a constant bias of {outputs} elements")
    real = np.broadcast_to(bias.real.reshape(-1), (outputs,))
    return as_float(call, Known(shape=real.shape, name=bias.name, array=real))
