"""Convolutions and matrix products."""

from __future__ import annotations

import numpy as np

from htvm.ir.ops import Conv2d, Dense, FloatConv2d, MatMul
from htvm.numerics.arithmetic import Numbers, along, integer_matmul, wrap_int32

_COLUMN_ELEMENTS_AT_ONCE = 1 << 22


def conv2d(op: Conv2d, x: Numbers, w: Numbers, b: Numbers | None = None) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Conv2d`.

    Args:
        op: Attributes.
        x: Input, shape ``(N, C, H, W)``.
        w: Weights, shape ``(K, C/groups, kh, kw)``.
        b: Bias, shape ``(K,)``.

    Returns:
        int32, shape ``(N, K, OH, OW)``.
    """
    top, left, bottom, right = op.pad
    image = np.pad(
        x.astype(np.int16) - np.int16(op.input_zero_point),
        ((0, 0), (0, 0), (top, bottom), (left, right)),
    )
    weights = (w.astype(np.int16) - np.int16(op.weight_zero_point)).reshape(
        op.groups, w.shape[0] // op.groups, -1
    )
    windows = windows_of(op, image, w.shape[2:])
    samples_at_once = max(1, _COLUMN_ELEMENTS_AT_ONCE // max(1, windows[0].size))
    parts = [
        _correlate(op.groups, windows[first : first + samples_at_once], weights)
        for first in range(0, len(x), samples_at_once)
    ]
    total = np.concatenate(parts)
    return wrap_int32(total if b is None else total + along(b.astype(np.int64), 1, 4))


def windows_of(op: Conv2d | FloatConv2d, image: Numbers, kernel: tuple[int, ...]) -> Numbers:
    """A view of every window, shape ``(N, C, kh, kw, OH, OW)``."""
    spans = tuple((size - 1) * step + 1 for size, step in zip(kernel, op.dilation, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(image, spans, axis=(2, 3))
    view = view[:, :, :: op.stride[0], :: op.stride[1], :: op.dilation[0], :: op.dilation[1]]
    return view.transpose(0, 1, 4, 5, 2, 3)


def _correlate(groups: int, windows: Numbers, weights: Numbers) -> Numbers:
    samples, _, _, _, height, width = windows.shape
    columns = windows.reshape(samples, groups, weights.shape[2], height * width)
    return integer_matmul(weights, columns).reshape(samples, -1, height, width)


def dense(op: Dense, x: Numbers, w: Numbers, b: Numbers | None = None) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Dense`: ``(.., K)`` by ``(N, K)`` to int32 ``(.., N)``."""
    rows = x.astype(np.int16) - np.int16(op.input_zero_point)
    weights = w.astype(np.int16) - np.int16(op.weight_zero_point)
    total = integer_matmul(rows, weights.T)
    return wrap_int32(total if b is None else total + b.astype(np.int64))


def matmul(op: MatMul, a: Numbers, b: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.MatMul`: numpy's ``matmul`` to int32."""
    left = a.astype(np.int16) - np.int16(op.a_zero_point)
    right = b.astype(np.int16) - np.int16(op.b_zero_point)
    return wrap_int32(integer_matmul(left, right))
