"""Convolutions, products and pools of batches in float32, by way of BLAS.

They hold whole numbers exactly as long as every sum stays below 2**24.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from htvm.ir.ops import MaxPool2d, Pads, Pair
from htvm.quantization.network import AvgPool, Conv, Dense, Floats

_COLUMNS_AT_ONCE = 1 << 21
"""Elements of the matrices of windows made at a time, about the size of a cache."""


def conv(op: Conv, x: Floats, weights: Floats | None = None) -> Floats:
    """The convolution without bias and bounds, ``(N, K, OH, OW)``."""
    w = op.weights if weights is None else weights
    run = _depthwise if op.is_depthwise else _product
    return np.concatenate([run(op, w, part) for part in _batches(op, x)])


def dense(op: Dense, x: Floats, weights: Floats | None = None) -> Floats:
    """The matrix product without bias and bounds."""
    w = op.weights if weights is None else weights
    return np.asarray(x @ w.T, dtype=np.float32)


def columns(op: Conv | Dense, x: Floats) -> Iterator[Floats]:
    """What meets the weights, in parts ``(groups, elements of a kernel, positions)``."""
    if isinstance(op, Dense):
        yield np.ascontiguousarray(x.reshape(1, -1, x.shape[-1]).transpose(0, 2, 1))
        return
    for part in _batches(op, x):
        windows = _windows(part, op)
        samples, channels, rows, cols, height, width = windows.shape
        inner = channels // op.groups * rows * cols
        moved = np.moveaxis(windows, 0, 3)  # before the one copy that makes it a matrix
        yield moved.reshape(op.groups, inner, samples * height * width)


def max_pool(op: MaxPool2d, x: Floats) -> Floats:
    """Greatest element of each window."""
    windows = _pool_windows(x, op.kernel, op.stride, op.pad, -np.inf)
    return np.asarray(windows.max(axis=(2, 3)), dtype=np.float32)


def sum_pool(op: AvgPool, x: Floats) -> Floats:
    """Sum of each window."""
    if op.kernel == x.shape[2:] and not any(op.pad):
        return np.asarray(x.sum(axis=(2, 3), keepdims=True), dtype=np.float32)
    windows = _pool_windows(x, op.kernel, op.stride, op.pad, 0.0)
    return np.asarray(windows.sum(axis=(2, 3)), dtype=np.float32)


def padded(x: Floats, pad: Pads, value: float = 0.0) -> Floats:
    """An image with a border."""
    top, left, bottom, right = pad
    if not any(pad):
        return x
    border = ((0, 0), (0, 0), (top, bottom), (left, right))
    return np.pad(x, border, constant_values=np.float32(value))


def _batches(op: Conv, x: Floats) -> Iterator[Floats]:
    kernel = op.weights[0, 0].size
    step = max(1, _COLUMNS_AT_ONCE // max(1, x[0].size * kernel // (op.stride[0] * op.stride[1])))
    for first in range(0, len(x), step):
        yield x[first : first + step]


def _windows(x: Floats, op: Conv) -> npt.NDArray[np.float32]:
    """A view of every window, ``(N, C, kh, kw, OH, OW)``."""
    rows, cols = op.weights.shape[2:]
    reach = ((rows - 1) * op.dilation[0] + 1, (cols - 1) * op.dilation[1] + 1)
    image = padded(x, op.pad)
    view: npt.NDArray[np.float32]
    view = np.lib.stride_tricks.sliding_window_view(image, reach, axis=(2, 3))
    view = view[:, :, :: op.stride[0], :: op.stride[1], :: op.dilation[0], :: op.dilation[1]]
    return np.transpose(view, (0, 1, 4, 5, 2, 3))


def _product(op: Conv, w: Floats, x: Floats) -> Floats:
    windows = _windows(x, op)
    samples, _, _, _, height, width = windows.shape
    grouped = windows.reshape(samples, op.groups, -1, height * width)
    kernels = w.reshape(op.groups, w.shape[0] // op.groups, -1)
    product: Floats = np.matmul(kernels, grouped)
    return product.reshape(samples, -1, height, width)


def _depthwise(op: Conv, w: Floats, x: Floats) -> Floats:
    """One multiplication and addition for each element of the kernel."""
    image = padded(x, op.pad)
    rows, cols = w.shape[2:]
    height = (image.shape[2] - (rows - 1) * op.dilation[0] - 1) // op.stride[0] + 1
    width = (image.shape[3] - (cols - 1) * op.dilation[1] - 1) // op.stride[1] + 1
    total = np.zeros((len(x), w.shape[0], height, width), dtype=np.float32)
    for row in range(rows):
        for col in range(cols):
            top, left = row * op.dilation[0], col * op.dilation[1]
            seen = image[
                :,
                :,
                top : top + (height - 1) * op.stride[0] + 1 : op.stride[0],
                left : left + (width - 1) * op.stride[1] + 1 : op.stride[1],
            ]
            total += seen * w[:, 0, row, col].reshape(1, -1, 1, 1)
    return total


def _pool_windows(
    x: Floats, kernel: Pair, stride: Pair, pad: Pads, value: float
) -> npt.NDArray[np.float32]:
    """A view ``(N, C, OH, OW, kh, kw)`` moved to ``(N, C, kh, kw, OH, OW)``."""
    image = padded(x, pad, value)
    view = np.lib.stride_tricks.sliding_window_view(image, kernel, axis=(2, 3))
    strided: npt.NDArray[np.float32] = view[:, :, :: stride[0], :: stride[1]]
    return np.transpose(strided, (0, 1, 4, 5, 2, 3))
