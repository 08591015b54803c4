"""Draws convolutions and dense layers in float32."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.testing.drawing.operands import Operands
from htvm.testing.drawing.products import KERNELS, grouping, image_for, row_length
from htvm.testing.drawing.sketch import Size, Sketch, Unsuited, Want

_FLOAT32 = DType.FLOAT32


def float_convolution(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """A 2-D convolution of floats that gives the image wanted."""
    if len(want.shape) != 4 or want.dtype is not _FLOAT32:
        raise Unsuited
    deck, outputs = sketch.deck, want.shape[1]
    kernel = deck.pick("float kernel", KERNELS)
    stride = deck.pick("float stride", ((1, 1), (2, 2), (1, 1), (2, 1)))
    dilation = deck.pick("float dilation", ((1, 1),) * 5 + ((2, 2),))
    groups, channels = grouping(sketch, want, kernel)
    extents, pad = image_for(sketch, want.shape[2:], kernel, stride, dilation)
    op = ops.FloatConv2d(stride=stride, pad=pad, dilation=dilation, groups=groups)
    weights = (outputs, channels // groups, *kernel)
    return _product(sketch, inputs, op, ((1, channels, *extents), weights), want)


def float_dense(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """A dense layer of floats that gives the vectors wanted."""
    if want.dtype is not _FLOAT32 or not want.shape:
        raise Unsuited
    *lead, outputs = want.shape
    length = row_length(sketch, prod(want.shape))
    return _product(sketch, inputs, ops.FloatDense(), ((*lead, length), (outputs, length)), want)


def _product(
    sketch: Sketch,
    inputs: Operands,
    op: ops.FloatConv2d | ops.FloatDense,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    want: Want,
) -> str:
    """Weights, perhaps a bias, and the node."""
    image, weights = (Want(shape=shape, dtype=_FLOAT32) for shape in shapes)
    bias = Want(shape=weights.shape[:1], dtype=_FLOAT32)

    def normal(wanted: Want) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return sketch.deck.rng.normal(0, 1, wanted.shape).astype(np.float32)

    x = inputs.take(0, image, lambda: normal(image))
    w = inputs.take(1, weights, lambda: normal(weights))
    more = inputs.perhaps(2, bias, lambda: normal(bias))
    terms = prod(weights.shape[1:])
    known, factor = sketch.size(x), sketch.size(w)
    size = Size(
        spread=sqrt(terms) * known.spread * factor.spread + len(more),
        bound=terms * known.bound * factor.bound + 8 * len(more),
    )
    return sketch.node(op, (x, w, *more), want, size)
