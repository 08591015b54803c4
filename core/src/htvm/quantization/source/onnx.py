"""ONNX: float networks, and QDQ ones without their quantisers."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from htvm.frontend import refuse
from htvm.frontend.onnx import moving, pooling
from htvm.frontend.onnx.call import Call, Rule, finite
from htvm.frontend.onnx.functions import bounds
from htvm.frontend.onnx.load import load
from htvm.frontend.onnx.model import Model
from htvm.frontend.onnx.quantisers import operand_grid
from htvm.frontend.onnx.realise import Label, label
from htvm.frontend.onnx.shaping import as_stored, moved, reshape
from htvm.frontend.onnx.values import Known, Stored, Value
from htvm.frontend.onnx.walk import name_output, walk
from htvm.frontend.onnx.window import window
from htvm.frontend.source import Source
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Origin
from htvm.ir.tensor import Quantization
from htvm.quantization.network import (
    Add,
    AvgPool,
    Conv,
    Dense,
    FloatNetwork,
    Floats,
    Hint,
    Sigmoid,
    Softmax,
)

_SIX = 6.0
_NEAR = 0.02
"""How near to 6 a quantised range must end to stand for a ReLU6."""


def read(source: Source) -> FloatNetwork:
    """The network in an ONNX file, as it stands.

    Raises:
        UsageError: the file is damaged.
        UnsupportedModelError: something in it cannot be taken.
    """
    model = load(source)
    floors = [node.name for node in model.nodes if node.op == "Floor"]
    if floors:
        seen = f"node {floors[0]!r} with op Floor, {len(floors)} in all"
        raise refuse.integers_already(model.path, seen, model.metadata.get("source", ""))
    done = walk(model, _RULES, {port.name: _input(model, port.name) for port in model.inputs})
    value = as_stored(done.last, done.output)
    output = name_output(done, value.tensor, model.output)
    graph = done.builder.graph(
        source.path.stem, output, Origin(path=source.path.name, format="built")
    )
    meanings = {name: tensor.quantization for name, tensor in graph.tensors.items()}
    return FloatNetwork(
        name=source.path.stem,
        inputs=graph.inputs,
        output=output,
        layers=graph.nodes,
        shapes={name: tensor.shape for name, tensor in graph.tensors.items()},
        hints={name: _hint(meaning) for name, meaning in meanings.items() if meaning},
    )


def _hint(meaning: Quantization) -> Hint:
    return Hint(scale=meaning.scale[0], zero_point=meaning.zero_point, dtype="int8")


def _input(model: Model, name: str) -> Value:
    port = next(port for port in model.inputs if port.name == name)
    if port.dtype not in {"float32", "int8", "uint8"}:
        raise refuse.unsupported_use(name, "input", f"type {port.dtype}", "float32, int8 or uint8")
    return Stored(shape=port.shape, name=name, tensor=name, dtype=DType.FLOAT32)


def _constant(call: Call, index: int) -> Floats:
    array = call.known(index)
    if array is None:
        raise call.refuse(f"input {index} is absent", "a constant")
    return finite(call, f"input {index}", np.asarray(array, dtype=np.float32)).astype(np.float32)


def _made(call: Call, op: ops.Op, value: Stored, shape: tuple[int, ...]) -> Value:
    return moved(call, value, op, shape, label(call))


def _stored(call: Call, index: int = 0) -> Stored:
    value = call.value(index)
    if not isinstance(value, Stored):
        raise call.refuse(f"input {value.name!r} is a constant", "a computed tensor")
    return value


def _image(call: Call) -> Stored:
    value = _stored(call)
    if len(value.shape) != 4:
        raise call.refuse(f"shape {list(value.shape)}", "an image: [1, channels, height, width]")
    return value


def _conv(call: Call) -> Value:
    image = _image(call)
    weights = _constant(call, 1)
    frame = window(call, image.shape[2:], weights.shape[2:])
    groups = call.integer("group", 1)
    if weights.ndim != 4 or weights.shape[1] * groups != image.shape[1]:
        seen = f"{image.shape[1]} channels, weights {list(weights.shape)}, {groups} groups"
        raise call.refuse(seen, "channels that agree")
    bias = np.zeros(len(weights), np.float32) if call.optional(2) is None else _constant(call, 2)
    op = Conv(
        weights=weights,
        bias=bias,
        stride=frame.stride,
        pad=frame.pad,
        dilation=frame.dilation,
        groups=groups,
    )
    return _made(call, op, image, (1, len(weights), *frame.out))


def _gemm(call: Call) -> Value:
    weights = _constant(call, 1) * np.float32(call.real("alpha", 1.0))
    weights = weights if call.integer("transB", 0) else weights.T
    if call.integer("transA", 0):
        raise call.refuse("transA 1", "transA 0")
    bias = np.zeros(len(weights), np.float32)
    if call.optional(2) is not None:
        bias = bias + _constant(call, 2).reshape(-1) * np.float32(call.real("beta", 1.0))
    return _dense(call, weights, bias)


def _matmul(call: Call) -> Value:
    weights = _constant(call, 1)
    if weights.ndim != 2:
        raise call.refuse(f"weights of shape {list(weights.shape)}", "a constant matrix")
    return _dense(call, weights.T, np.zeros(weights.shape[1], np.float32))


def _dense(call: Call, weights: Floats, bias: Floats) -> Value:
    value = _stored(call)
    if value.shape[-1] != weights.shape[1]:
        seen = f"rows of {value.shape[-1]}, weights {list(weights.shape)}"
        raise call.refuse(seen, "lengths that agree")
    op = Dense(weights=np.ascontiguousarray(weights), bias=bias)
    return _made(call, op, value, (*value.shape[:-1], len(weights)))


def _add(call: Call) -> Value:
    a, b = call.value(0), call.value(1)
    if isinstance(a, Known):
        a, b = b, a
    if isinstance(b, Known):
        return _affine(call, np.ones(1, np.float32), _channels(call, a, b))
    if a.shape != b.shape:
        raise call.refuse(f"shapes {list(a.shape)} and {list(b.shape)}", "equal shapes")
    names = (_stored(call, 0).tensor, _stored(call, 1).tensor)
    return _joined(call, Add(), names, a.shape)


def _concat(call: Call) -> Value:
    parts = [_stored(call, index) for index in range(len(call.values))]
    first = parts[0]
    axis = call.axis(call.integer("axis", 0), len(first.shape))
    around = {(*part.shape[:axis], *part.shape[axis + 1 :]) for part in parts}
    if len(around) != 1:
        shapes = ", ".join(str(list(part.shape)) for part in parts)
        raise call.refuse(f"shapes {shapes} along axis {axis}", "shapes that agree elsewhere")
    extent = sum(part.shape[axis] for part in parts)
    shape = (*first.shape[:axis], extent, *first.shape[axis + 1 :])
    return _joined(call, ops.Concat(axis=axis), tuple(part.tensor for part in parts), shape)


def _joined(call: Call, op: ops.Op, tensors: tuple[str, ...], shape: tuple[int, ...]) -> Value:
    """The result of an op of several tensors."""
    tensor = call.builder.node(
        op,
        tensors,
        name=call.name,
        output=call.output,
        shape=shape,
        dtype=DType.FLOAT32,
        sources=(call.name,),
    )
    return replace(_stored(call, 0), tensor=tensor, shape=shape, name=call.output, sources=())


def _scaled(call: Call) -> Value:
    """Mul, Div or Sub by a constant."""
    kind = call.node.op
    a, b = call.value(0), call.value(1)
    if isinstance(a, Known) and kind == "Mul":
        a, b = b, a
    if not isinstance(b, Known):
        raise call.refuse(f"{kind} of two computed tensors", "a constant operand")
    values = _channels(call, a, b)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    if kind == "Sub":
        return _affine(call, one, -values)
    return _affine(call, values if kind == "Mul" else np.float32(1) / values, zero)


def _batch_norm(call: Call) -> Value:
    gain, shift, mean, variance = (_constant(call, index) for index in range(1, 5))
    gain = gain / np.sqrt(variance + np.float32(call.real("epsilon", 1e-5)))
    return _affine(call, gain, shift - mean * gain)


def _channels(call: Call, value: Value, constant: Known) -> Floats:
    """A constant as one number, or one for each channel."""
    array = np.asarray(constant.real, np.float32)
    if array.size == 1:
        return array.reshape(-1)
    wide = array.reshape((1,) * (len(value.shape) - array.ndim) + array.shape)
    axis = 1 if len(value.shape) == 4 else len(value.shape) - 1
    if wide.size != wide.shape[axis] or wide.size != value.shape[axis]:
        seen = f"a constant of shape {list(array.shape)} on {list(value.shape)}"
        raise call.refuse(seen, "one number, or one for each channel")
    return array.reshape(-1)


def _affine(call: Call, gain: Floats, shift: Floats) -> Value:
    """``gain * x + shift`` by channel, as a layer with weights that tidying may fold away."""
    value = call.value(0) if isinstance(call.value(0), Stored) else call.value(1)
    if not isinstance(value, Stored):
        raise call.refuse("no computed operand", "a computed tensor")
    channels = value.shape[1] if len(value.shape) == 4 else value.shape[-1]
    factors, bias = (np.broadcast_to(part, channels).copy() for part in (gain, shift))
    if len(value.shape) == 4:
        weights = factors.reshape(-1, 1, 1, 1)
        return _made(call, Conv(weights=weights, bias=bias, groups=channels), value, value.shape)
    return _made(call, Dense(weights=np.diag(factors), bias=bias), value, value.shape)


def _clip(call: Call) -> Value:
    lo, hi = bounds(call) or (-inf, inf)
    return _made(call, ops.Clip(lo=lo, hi=hi), _stored(call), _stored(call).shape)


def _softmax(call: Call) -> Value:
    value = _stored(call)
    axis = call.axis(call.integer("axis", -1 if call.opset >= 13 else 1), len(value.shape))
    return _made(call, Softmax(axis=axis), value, value.shape)


def _average_pool(call: Call) -> Value:
    image = _image(call)
    frame = window(call, image.shape[2:], call.integers("kernel_shape") or ())
    if any(frame.pad) and not (
        call.integer("count_include_pad", 0) and frame.pad == frame.declared
    ):
        raise call.refuse(f"pads {frame.pad}", "no padding, or padding that counts")
    op = AvgPool(kernel=frame.kernel, stride=frame.stride, pad=frame.pad)
    return _made(call, op, image, (*image.shape[:2], *frame.out))


def _global_average_pool(call: Call) -> Value:
    image = _image(call)
    kernel = (image.shape[2], image.shape[3])
    return _made(call, AvgPool(kernel=kernel, stride=kernel), image, (*image.shape[:2], 1, 1))


def _reduce_mean(call: Call) -> Value:
    axes = call.integers("axes", 1)
    image = _image(call)
    if axes is None or {axis % 4 for axis in axes} != {2, 3}:
        raise call.refuse(f"axes {axes}", "both axes of the image")
    kernel = (image.shape[2], image.shape[3])
    op = AvgPool(kernel=kernel, stride=kernel)
    if call.integer("keepdims", 1):
        return _made(call, op, image, (*image.shape[:2], 1, 1))
    name = Label(node=f"{call.name}_mean", output=f"{call.output}_mean", sources=(call.name,))
    pooled = moved(call, image, op, (*image.shape[:2], 1, 1), name)
    return reshape(call, pooled, image.shape[:2])


def _quantize(call: Call) -> Value:
    """Nothing but its range, which may stand for a ReLU that an exporter left out."""
    value, zero, scale = call.value(0), call.known(2), call.number(1)
    if isinstance(value, Known) or scale is None:
        raise call.refuse("a constant, or no scale", "a computed tensor and one scale")
    point = 0 if zero is None else int(np.asarray(zero).reshape(-1)[0])
    dtype = DType.UINT8 if zero is None else DType(str(zero.dtype))
    least, most = ((bound - point) * scale for bound in dtype.bounds)
    hi = _SIX if abs(most - _SIX) < _NEAR else inf
    held = _stored(call)
    if least != 0.0:
        return moving.identity(call)
    return _made(call, ops.Clip(lo=0.0, hi=hi), held, held.shape)


def _dequantize(call: Call) -> Value:
    value, zero = call.value(0), call.known(2)
    if isinstance(value, Known):
        grid = operand_grid(
            call,
            1,
            2,
            DType(str(value.array.dtype)),
            rank=len(value.shape),
            axis=call.integer("axis", 1),
        )
        return replace(value, array=grid.real(value.array), name=call.output)
    scale = call.number(1)
    held = _stored(call)
    if scale is not None and call.builder.is_input(held.tensor):
        point = 0 if zero is None else int(np.asarray(zero).reshape(-1)[0])
        call.builder.annotate(held.tensor, Quantization(scale=(scale,), zero_point=point))
    return moving.identity(call)


def _sigmoid(call: Call) -> Value:
    return _made(call, Sigmoid(), _stored(call), _stored(call).shape)


_RULES: dict[str, Rule] = {
    "Add": _add,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "DequantizeLinear": _dequantize,
    "Div": _scaled,
    "Dropout": moving.identity,
    "Flatten": moving.flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": pooling.global_max_pool,
    "Identity": moving.identity,
    "MatMul": _matmul,
    "MaxPool": pooling.max_pool,
    "Mul": _scaled,
    "Pad": moving.pad,
    "QuantizeLinear": _quantize,
    "ReduceMean": _reduce_mean,
    "Relu": _clip,
    "Reshape": moving.reshape_,
    "Sigmoid": _sigmoid,
    "Softmax": _softmax,
    "Squeeze": moving.squeeze,
    "Sub": _scaled,
    "Transpose": moving.transpose_,
    "Unsqueeze": moving.unsqueeze,
}
