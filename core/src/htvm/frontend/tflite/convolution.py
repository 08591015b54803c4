"""Convolutions and fully connected layers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from htvm.frontend.tflite.call import Call, check_scale
from htvm.frontend.tflite.multiplier import quantize_multipliers
from htvm.frontend.tflite.window import placed, strides
from htvm.ir.dtype import DType
from htvm.ir.ops import Conv2d, Dense, Pads, Pair, Reshape
from htvm.ir.requant import TfliteRequant
from htvm.ir.tensor import Array


def conv_2d(call: Call) -> None:
    """CONV_2D, grouped where the filter has fewer channels than the image."""
    _convolve(call, *filters(call, "INT8"), axis=0)


def depthwise_conv_2d(call: Call) -> None:
    """DEPTHWISE_CONV_2D with any channel multiplier."""
    _convolve(call, *filters(call, "INT8"), axis=3)


def filters(call: Call, kind: str) -> tuple[Array, int]:
    """Weights of either kind of convolution as OIHW, and the number of groups.

    Args:
        call: The convolution.
        kind: The file's type of weights and activations.

    Raises:
        UnsupportedModelError: they are of another type, or do not fit the image.
    """
    given = weights_of(call, 4, kind)
    channels = call.scope.tensor(call.image(0)).shape[1]
    if call.operator.kind == "CONV_2D":
        weights = given.transpose(0, 3, 1, 2)
        if channels % weights.shape[1] or weights.shape[0] % (channels // weights.shape[1]):
            raise call.refuse(
                f"{channels} channels, filter of {weights.shape[1]}", "channels the filter divides"
            )
        return weights, channels // weights.shape[1]
    weights = given.transpose(3, 0, 1, 2)
    if weights.shape[1] != 1 or weights.shape[0] % channels:
        raise call.refuse(
            f"{channels} channels, filter {list(call.shape(1))}",
            "a filter [1, height, width, channels * multiplier]",
        )
    return weights, channels


@dataclass(frozen=True, kw_only=True)
class Frame:
    """How a filter slides over an image."""

    stride: Pair
    pad: Pads
    dilation: Pair
    size: Pair


def framed(call: Call, kernel: tuple[int, ...]) -> Frame:
    """The frame of a convolution with a kernel of this height and width."""
    _, _, height, width = call.scope.tensor(call.image(0)).shape
    dilation = (call.operator.flag("DilationHFactor"), call.operator.flag("DilationWFactor"))
    if min(dilation) < 1:
        raise call.refuse(f"dilation {dilation}", "dilations of at least 1")
    window = tuple((kernel[i] - 1) * dilation[i] + 1 for i in (0, 1))
    stride = strides(call)
    pad, size = placed(call, (height, width), (window[0], window[1]), stride)
    return Frame(stride=stride, pad=pad, dilation=dilation, size=size)


def _convolve(call: Call, weights: Array, groups: int, *, axis: int) -> None:
    frame = framed(call, weights.shape[2:])
    source, result = call.scales(0)
    if any(call.input(1).zero_point):
        raise call.refuse("weights with a zero point", "symmetric weights")
    op = Conv2d(
        stride=frame.stride,
        pad=frame.pad,
        dilation=frame.dilation,
        groups=groups,
        input_zero_point=source.zero_point,
    )
    inputs = (
        call.image(0),
        call.scope.constant(call.input(1), "oihw", weights),
        *_bias(call, weights.shape[0]),
    )
    shape = (1, weights.shape[0], *frame.size)
    acc = call.emit(op, inputs, shape, DType.INT32, "acc")
    factors = [
        source.scale * scale / result.scale
        for scale in _filter_scales(call, weights.shape[0], axis)
    ]
    call.finish(_requant(call, factors, axis=1), (acc,), shape, "image")


def fully_connected(call: Call) -> None:
    """FULLY_CONNECTED; the input is flattened to rows as long as the filter's."""
    weights = weights_of(call, 2, "INT8")
    source, result = call.scales(0)
    rows = rows_of(call, weights.shape[1])
    shape = (*call.scope.tensor(rows).shape[:-1], weights.shape[0])
    filters = call.input(1)
    scales = _filter_scales(call, weights.shape[0], axis=0)
    zero_points = set(filters.zero_point)
    if len(zero_points) != 1 or (len(scales) > 1 and zero_points != {0}):
        raise call.refuse("weights of several zero points", "one zero point, or none per channel")
    op = Dense(input_zero_point=source.zero_point, weight_zero_point=zero_points.pop())
    inputs = (rows, call.scope.constant(filters, "oi", weights), *_bias(call, weights.shape[0]))
    acc = call.emit(op, inputs, shape, DType.INT32, "acc")
    if len(scales) == 1:
        # The reference multiplies the two scales as floats here, unlike in convolutions.
        factors = [float(np.float32(source.scale) * np.float32(scales[0])) / result.scale]
    else:
        factors = [source.scale * scale / result.scale for scale in scales]
    call.finish(_requant(call, factors, axis=len(shape) - 1), (acc,), shape, "plain")


def rows_of(call: Call, length: int) -> str:
    """The input of a fully connected layer as rows of this length."""
    if call.operator.flag("WeightsFormat"):
        raise call.refuse("shuffled weights", "weights in their default order")
    shape = call.shape(0)
    keep = bool(call.operator.flag("KeepNumDims"))
    if shape[-1:] != (length,) if keep else prod(shape) % length:
        seen = f"input {list(shape)}, filter of {length}"
        raise call.refuse(seen, "rows as long as the filter's")
    wanted = shape if keep else (prod(shape) // length, length)
    name = call.scope.in_order(call.input(0))
    if call.scope.tensor(name).shape == wanted:
        return name
    return call.emit(Reshape(shape=wanted), (name,), wanted, call.scope.tensor(name).dtype, "rows")


def weights_of(call: Call, rank: int, kind: str) -> Array:
    """Constant weights, if they and the activations are of this type of the file."""
    tensor = call.input(1)
    if tensor.type != kind:
        raise call.refuse(f"weights of type {tensor.type}", f"{kind} weights")
    if call.input(0).type != kind:
        raise call.refuse(f"input of type {call.input(0).type}", f"{kind} activations")
    value = call.constant(1)
    if value.ndim != rank:
        raise call.refuse(f"weights of shape {list(value.shape)}", f"weights of {rank} axes")
    return value


def _bias(call: Call, expected: int) -> tuple[str, ...]:
    if not call.has(2):
        return ()
    value = call.constant(2)
    if value.dtype != np.int32 or value.shape != (expected,):
        raise call.refuse(
            f"bias {value.dtype} of shape {list(value.shape)}", f"an INT32 bias of {expected}"
        )
    return (call.scope.constant(call.input(2), "bias", value),)


def _filter_scales(call: Call, outputs: int, axis: int) -> tuple[float, ...]:
    tensor = call.input(1)
    scales = tensor.scale
    if len(scales) not in {1, outputs} or len(tensor.zero_point) != len(scales):
        raise call.refuse(f"{len(scales)} weight scales", f"1 or {outputs}, one a channel")
    if len(scales) > 1 and tensor.axis != axis:
        raise call.refuse(f"weight scales along axis {tensor.axis}", f"along axis {axis}")
    for scale in scales:
        check_scale(tensor.name, scale)
    return scales


def _requant(call: Call, factors: list[float], axis: int) -> TfliteRequant:
    mul, exponent = quantize_multipliers(factors)
    lo, hi = call.clip()
    return TfliteRequant(
        out=DType.INT8,
        lo=lo,
        hi=hi,
        axis=axis if len(factors) > 1 else None,
        mul=mul,
        exponent=exponent,
        zero_point=call.scale(call.output()).zero_point,
    )
