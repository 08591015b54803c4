"""Pooling and reduction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from htvm.ir.ops import AvgPool2d, MaxPool2d, Pads, Pair, ReduceSum, SumPool2d
from htvm.numerics.arithmetic import Numbers, divide_truncating, wrap_int32


def max_pool2d(op: MaxPool2d, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.MaxPool2d` on ``(N, C, H, W)``."""
    least = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -np.inf
    taps = _taps(_padded(x, op.pad, least), op.kernel, op.stride)
    greatest = next(taps).copy()
    for tap in taps:
        np.maximum(greatest, tap, out=greatest)
    return greatest


def sum_pool2d(op: SumPool2d, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.SumPool2d` on ``(N, C, H, W)``; int32 or float32."""
    if x.dtype == np.float32:
        return _window_sum(_padded(x, op.pad, 0), op.kernel, op.stride)
    image = _padded(x.astype(np.int64) - op.input_zero_point, op.pad, 0)
    return wrap_int32(_window_sum(image, op.kernel, op.stride))


def avg_pool2d(op: AvgPool2d, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.AvgPool2d` on ``(N, C, H, W)``."""
    total = _window_sum(_padded(x.astype(np.int64), op.pad, 0), op.kernel, op.stride)
    inside = np.ones((1, 1, *x.shape[2:]), dtype=np.int64)
    count = _window_sum(_padded(inside, op.pad, 0), op.kernel, op.stride)
    nudged = np.where(total > 0, total + count // 2, total - count // 2)
    mean: Numbers = np.clip(divide_truncating(nudged, count), op.lo, op.hi).astype(x.dtype)
    return mean


def reduce_sum(op: ReduceSum, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.ReduceSum`; int32 or float32."""
    if x.dtype == np.float32:
        return _sum_in_order(op, x)
    shifted = x.astype(np.int64) - op.input_zero_point
    return wrap_int32(np.asarray(shifted.sum(axis=op.axes, keepdims=op.keepdims)))


def _sum_in_order(op: ReduceSum, x: Numbers) -> Numbers:
    """A float32 sum over ``op.axes`` whose terms are added in index order."""
    axes = sorted(axis % x.ndim for axis in op.axes)
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    rows = x.transpose(*kept, *axes).reshape(*(x.shape[axis] for axis in kept), -1)
    total: Numbers = np.zeros(rows.shape[:-1], np.float32)
    for term in np.moveaxis(rows, -1, 0):
        total += term
    return np.expand_dims(total, tuple(axes)) if op.keepdims else total


def _padded(x: Numbers, pad: Pads, value: Any) -> Numbers:
    top, left, bottom, right = pad
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def _window_sum(image: Numbers, kernel: Pair, stride: Pair) -> Numbers:
    taps = _taps(image, kernel, stride)
    # Adding 0 turns a first element of -0 into the +0 that float sums start from.
    total: Numbers = next(taps) + image.dtype.type(0)
    for tap in taps:
        total += tap
    return total


def _taps(image: Numbers, kernel: Pair, stride: Pair) -> Iterator[Numbers]:
    """For each position in the window, the elements all windows have there: ``(N, C, OH, OW)``."""
    height = image.shape[2] - kernel[0]
    width = image.shape[3] - kernel[1]
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            yield image[
                :,
                :,
                row : row + height + 1 : stride[0],
                column : column + width + 1 : stride[1],
            ]
