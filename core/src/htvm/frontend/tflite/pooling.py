"""Pools."""

from __future__ import annotations

from htvm.frontend.tflite.call import Call
from htvm.frontend.tflite.window import placed, strides
from htvm.ir.dtype import DType
from htvm.ir.ops import AvgPool2d, Clip, MaxPool2d, Pads, Pair

_WHOLE = (-128, 127)


def average_pool_2d(call: Call) -> None:
    """AVERAGE_POOL_2D; input and output have the same scale."""
    image, kernel, stride, pad, shape = window(call)
    call.scales(0)
    lo, hi = call.clip()
    op = AvgPool2d(kernel=kernel, stride=stride, pad=pad, lo=lo, hi=hi)
    call.finish(op, (image,), shape, "image")


def max_pool_2d(call: Call) -> None:
    """MAX_POOL_2D."""
    image, kernel, stride, pad, shape = window(call)
    call.scales(0)
    op = MaxPool2d(kernel=kernel, stride=stride, pad=pad)
    lo, hi = call.clip()
    if (lo, hi) == _WHOLE:
        call.finish(op, (image,), shape, "image")
        return
    greatest = call.emit(op, (image,), shape, DType.INT8, "max")
    call.finish(Clip(lo=lo, hi=hi), (greatest,), shape, "image")


def window(call: Call) -> tuple[str, Pair, Pair, Pads, tuple[int, ...]]:
    """Image, kernel, stride, padding and result of a pool."""
    image = call.image(0)
    _, channels, height, width = call.scope.tensor(image).shape
    kernel = (call.operator.flag("FilterHeight"), call.operator.flag("FilterWidth"))
    if min(kernel) < 1:
        raise call.refuse(f"window {kernel}", "a window of at least 1 by 1")
    stride = strides(call)
    pad, size = placed(call, (height, width), kernel, stride)
    return image, kernel, stride, pad, (1, channels, *size)
