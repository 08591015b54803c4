"""TFLite: float networks, and int8 ones dequantised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf

import numpy as np

from htvm.frontend import refuse
from htvm.frontend.source import Source
from htvm.frontend.tflite import shaping
from htvm.frontend.tflite.call import Call
from htvm.frontend.tflite.decode import decode
from htvm.frontend.tflite.model import FileModel, FileTensor
from htvm.frontend.tflite.scope import Scope
from htvm.frontend.tflite.window import placed, strides
from htvm.ir.dtype import DType
from htvm.ir.ops import Clip, MaxPool2d, Op, Pads, Pair, Reshape
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

_BOUNDS = {0: (-inf, inf), 1: (0.0, inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""By number of the fused activation."""
_QUANTISED = {"INT8", "UINT8", "INT32"}


def read(source: Source) -> FloatNetwork:
    """The network in a TFLite file, as it stands.

    Raises:
        UsageError: the file is damaged.
        UnsupportedModelError: something in it cannot be taken.
    """
    stored = decode(source)
    model = replace(stored, tensors=tuple(_dequantised(tensor) for tensor in stored.tensors))
    scope = Scope(source, model)
    for index in model.inputs:
        tensor = model.tensors[index]
        scope.add_input(tensor, source.shapes.get(tensor.name, tensor.shape))
    for operator in model.operators:
        rule = _RULES.get(operator.kind)
        call = Call(scope=scope, operator=operator)
        if rule is None:
            raise refuse.unsupported_op(call.name, operator.kind, ", ".join(_RULES))
        rule(call)
    graph = scope.graph(source.path.stem)
    if len(graph.outputs) != 1:
        raise refuse.several_outputs(source.path, graph.outputs)
    return FloatNetwork(
        name=source.path.stem,
        inputs=graph.inputs,
        output=graph.outputs[0],
        layers=graph.nodes,
        shapes={name: tensor.shape for name, tensor in graph.tensors.items()},
        hints={stored.tensors[i].name: h for i in stored.inputs if (h := _hint(stored, i))},
        channels_last=True,
    )


def _hint(model: FileModel, index: int) -> Hint | None:
    tensor = model.tensors[index]
    if len(tensor.scale) != 1 or tensor.type not in {"INT8", "UINT8"}:
        return None
    dtype = tensor.type.lower()
    return Hint(scale=tensor.scale[0], zero_point=tensor.zero_point[0], dtype=dtype)


def _dequantised(tensor: FileTensor) -> FileTensor:
    """The tensor as real numbers, where the file says what its integers mean."""
    if tensor.type not in _QUANTISED or not tensor.scale:
        return tensor
    bare = replace(tensor, type="FLOAT32", scale=(), zero_point=())
    if tensor.data is None:
        return bare
    integers = np.frombuffer(tensor.data.tobytes(), dtype=DType(tensor.type.lower()).numpy)
    if integers.size != tensor.elements:
        return bare
    axes = [-1 if axis == tensor.axis and len(tensor.scale) > 1 else 1 for axis in range(4)]
    shape = axes[: len(tensor.shape)]
    scale = np.array(tensor.scale, np.float64).reshape(shape)
    zero = np.array(tensor.zero_point, np.float64).reshape(shape)
    real = (integers.reshape(tensor.shape).astype(np.float64) - zero) * scale
    return replace(bare, data=np.frombuffer(real.astype(np.float32).tobytes(), dtype=np.uint8))


def _bounds(call: Call) -> tuple[float, float]:
    function = call.operator.flag("FusedActivationFunction")
    if function not in _BOUNDS:
        raise call.refuse(f"fused activation {function}", "none, RELU, RELU6 or RELU_N1_TO_1")
    return _BOUNDS[function]


def _weights(call: Call) -> Floats:
    value = call.constant(1)
    if value.dtype != np.float32:
        raise call.refuse(f"weights of type {value.dtype} without a scale", "real weights")
    return value.astype(np.float32)


def _bias(call: Call, length: int) -> Floats:
    if not call.has(2):
        return np.zeros(length, np.float32)
    return call.constant(2).astype(np.float32).reshape(length)


def _conv(call: Call) -> None:
    weights = _weights(call).transpose(0, 3, 1, 2)
    channels = call.scope.tensor(call.image(0)).shape[1]
    if channels % weights.shape[1]:
        seen = f"{channels} channels, filter of {weights.shape[1]}"
        raise call.refuse(seen, "channels the filter divides")
    _convolve(call, weights, channels // weights.shape[1])


def _depthwise(call: Call) -> None:
    channels = call.scope.tensor(call.image(0)).shape[1]
    _convolve(call, _weights(call).transpose(3, 0, 1, 2), channels)


def _convolve(call: Call, weights: Floats, groups: int) -> None:
    image = call.image(0)
    _, _, height, width = call.scope.tensor(image).shape
    dilation = (call.operator.flag("DilationHFactor"), call.operator.flag("DilationWFactor"))
    reach = [(weights.shape[axis + 2] - 1) * dilation[axis] + 1 for axis in (0, 1)]
    stride = strides(call)
    pad, size = placed(call, (height, width), (reach[0], reach[1]), stride)
    lo, hi = _bounds(call)
    op = Conv(
        weights=np.ascontiguousarray(weights),
        bias=_bias(call, len(weights)),
        stride=stride,
        pad=pad,
        dilation=dilation,
        groups=groups,
        lo=lo,
        hi=hi,
    )
    call.finish(op, (image,), (1, len(weights), *size), "image")


def _dense(call: Call) -> None:
    weights = _weights(call)
    length = weights.shape[1]
    shape = call.shape(0)
    keep = bool(call.operator.flag("KeepNumDims"))
    rows = shape[:-1] if keep else (int(np.prod(shape)) // length,)
    name = call.scope.in_order(call.input(0))
    if call.scope.tensor(name).shape != (*rows, length):
        wanted = (*rows, length)
        name = call.emit(Reshape(shape=wanted), (name,), wanted, DType.FLOAT32, "rows")
    lo, hi = _bounds(call)
    op = Dense(weights=weights, bias=_bias(call, len(weights)), lo=lo, hi=hi)
    call.finish(op, (name,), (*rows, len(weights)), "plain")


def _add(call: Call) -> None:
    form = call.form(0, 1)
    names = [call.take(number, form) for number in (0, 1)]
    tensors = [call.scope.tensor(name) for name in names]
    if tensors[0].shape != tensors[1].shape or any(tensor.is_constant for tensor in tensors):
        raise call.refuse(f"shapes {[t.shape for t in tensors]}", "two computed tensors, one shape")
    lo, hi = _bounds(call)
    call.finish(Add(lo=lo, hi=hi), names, tensors[0].shape, form)


def _frame(call: Call) -> tuple[str, Pair, Pair, Pads, tuple[int, ...]]:
    image = call.image(0)
    _, channels, height, width = call.scope.tensor(image).shape
    kernel = (call.operator.flag("FilterHeight"), call.operator.flag("FilterWidth"))
    stride = strides(call)
    pad, size = placed(call, (height, width), kernel, stride)
    return image, kernel, stride, pad, (1, channels, *size)


def _average_pool(call: Call) -> None:
    image, kernel, stride, pad, shape = _frame(call)
    if any(pad):
        raise call.refuse(f"padding {pad}", "an average pool without padding")
    lo, hi = _bounds(call)
    call.finish(AvgPool(kernel=kernel, stride=stride, lo=lo, hi=hi), (image,), shape, "image")


def _max_pool(call: Call) -> None:
    image, kernel, stride, pad, shape = _frame(call)
    lo, hi = _bounds(call)
    op = MaxPool2d(kernel=kernel, stride=stride, pad=pad)
    if (lo, hi) == _BOUNDS[0]:
        call.finish(op, (image,), shape, "image")
        return
    greatest = call.emit(op, (image,), shape, DType.FLOAT32, "max")
    call.finish(Clip(lo=lo, hi=hi), (greatest,), shape, "image")


def _mean(call: Call) -> None:
    shape = call.shape(0)
    axes = {axis % len(shape) for axis in call.integers(1)}
    if len(shape) != 4 or axes != {1, 2}:
        raise call.refuse(f"axes {sorted(axes)} of {list(shape)}", "both axes of an image")
    image = call.image(0)
    _, channels, height, width = call.scope.tensor(image).shape
    op = AvgPool(kernel=(height, width), stride=(height, width))
    pooled = (1, channels, 1, 1)
    if call.operator.flag("KeepDims"):
        call.finish(op, (image,), pooled, "image")
        return
    name = call.emit(op, (image,), pooled, DType.FLOAT32, "mean")
    call.finish(Reshape(shape=(1, channels)), (name,), (1, channels), "plain")


def _same(call: Call) -> None:
    """QUANTIZE and DEQUANTIZE: of real numbers, nothing."""
    call.scope.alias(call.output(), call.input(0))


def _one(op: Op) -> Callable[[Call], None]:
    def rule(call: Call) -> None:
        form = call.form(0)
        name = call.take(0, form)
        call.finish(op, (name,), call.scope.tensor(name).shape, form)

    return rule


def _softmax(call: Call) -> None:
    if call.operator.real("Beta") != 1.0:
        raise call.refuse(f"beta {call.operator.real('Beta')}", "beta 1")
    shape = call.shape(0)
    call.finish(Softmax(axis=len(shape) - 1), (call.plain(0),), shape, "plain")


_RULES: Mapping[str, Callable[[Call], None]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _average_pool,
    "CONCATENATION": shaping.concatenation,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEQUANTIZE": _same,
    "EXPAND_DIMS": shaping.expand_dims,
    "FULLY_CONNECTED": _dense,
    "LOGISTIC": _one(Sigmoid()),
    "MAX_POOL_2D": _max_pool,
    "MEAN": _mean,
    "PAD": shaping.pad,
    "QUANTIZE": _same,
    "RELU": _one(Clip(lo=0.0, hi=inf)),
    "RELU6": _one(Clip(lo=0.0, hi=6.0)),
    "RELU_N1_TO_1": _one(Clip(lo=-1.0, hi=1.0)),
    "RESHAPE": shaping.reshape,
    "SOFTMAX": _softmax,
    "SQUEEZE": shaping.squeeze,
    "TRANSPOSE": shaping.transpose,
}
