"""Convolutions and matrix products in float32, added in the order the ops define."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from htvm.ir.ops import Dequantize, FloatConv2d, FloatDense
from htvm.numerics.arithmetic import Numbers, along
from htvm.numerics.convolution import windows_of
from htvm.numerics.elementwise import dequantize

_SUMS_AT_ONCE = 1 << 16
"""Sums advanced together: they and their products stay in a processor's cache."""


def float_conv2d(op: FloatConv2d, x: Numbers, w: Numbers, b: Numbers | None = None) -> Numbers:
    """Execute :class:`~htvm.ir.ops.FloatConv2d`.

    Args:
        op: Attributes.
        x: Input, shape ``(N, C, H, W)``.
        w: Weights, shape ``(K, C/groups, kh, kw)``.
        b: Bias, shape ``(K,)``.

    Returns:
        float32, shape ``(N, K, OH, OW)``.
    """
    top, left, bottom, right = op.pad
    image = np.pad(_real(op, x), ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = windows_of(op, image, w.shape[2:])
    samples, _, *frame = windows.shape
    taps = windows.reshape(samples, op.groups, 1, w.shape[1], *frame)
    weights = w.reshape(op.groups, -1, *w.shape[1:], 1, 1)
    sums = (samples, op.groups, w.shape[0] // op.groups, *frame[2:])
    at_once = max(1, _SUMS_AT_ONCE // max(1, int(np.prod(sums[1:]))))
    total = np.concatenate(
        [
            _sum((len(part), *sums[1:]), _products(part, weights))
            for part in (taps[at : at + at_once] for at in range(0, samples, at_once))
        ]
    ).reshape(samples, w.shape[0], *frame[2:])
    return _with_bias(total, b, 1)


def float_dense(op: FloatDense, x: Numbers, w: Numbers, b: Numbers | None = None) -> Numbers:
    """Execute :class:`~htvm.ir.ops.FloatDense`: ``(.., K)`` by ``(N, K)`` to ``(.., N)``."""
    rows = _real(op, x)
    shape = (*x.shape[:-1], w.shape[0])
    pairs = ((rows[..., index, None], w[:, index]) for index in range(x.shape[-1]))
    return _with_bias(_sum(shape, pairs), b, len(shape) - 1)


def _real(op: FloatConv2d | FloatDense, x: Numbers) -> Numbers:
    """The floats that bytes stand for."""
    if x.dtype == np.float32:
        return x
    scale = np.array([op.input_scale], np.float32)
    return dequantize(Dequantize(scale=scale, zero_point=op.input_zero_point), x)


def _products(taps: Numbers, weights: Numbers) -> Iterable[tuple[Numbers, Numbers]]:
    """Operands of every product of a window, in order.

    Args:
        taps: ``(N, groups, 1, C/groups, kh, kw, OH, OW)``.
        weights: ``(groups, K/groups, C/groups, kh, kw, 1, 1)``.
    """
    for index in np.ndindex(*weights.shape[2:5]):
        yield taps[:, :, :, *index], weights[:, :, *index]


def _sum(shape: tuple[int, ...], pairs: Iterable[tuple[Numbers, Numbers]]) -> Numbers:
    total = np.zeros(shape, np.float32)
    product = np.empty(shape, np.float32)
    # What leaves the range of float32 is infinite here as it is in C.
    with np.errstate(over="ignore", invalid="ignore"):
        for a, b in pairs:
            np.multiply(a, b, out=product)
            total += product
    return total


def _with_bias(total: Numbers, b: Numbers | None, axis: int) -> Numbers:
    return total if b is None else total + along(b, axis, total.ndim)
