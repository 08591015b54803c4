"""Draws convolutions and dense layers in float32."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.testing.drawing.operands import Operands
from htvm.testing.drawing.products import KERNELS, grouping, image_for, row_length, zero_point
from htvm.testing.drawing.sketch import Size, Sketch, Unsuited, Want

_FLOAT32 = DType.FLOAT32
_SCALE = 0.0078125
"""Of inputs that are bytes."""


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
    kind, zero = _operand(sketch)
    op = ops.FloatConv2d(
        stride=stride,
        pad=pad,
        dilation=dilation,
        groups=groups,
        input_scale=_SCALE,
        input_zero_point=zero,
    )
    image = Want(shape=(1, channels, *extents), dtype=kind)
    weights = Want(shape=(outputs, channels // groups, *kernel), dtype=_FLOAT32)
    return _product(sketch, inputs, op, (image, weights), want)


def float_dense(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """A dense layer of floats that gives the vectors wanted."""
    if want.dtype is not _FLOAT32 or not want.shape:
        raise Unsuited
    *lead, outputs = want.shape
    length = row_length(sketch, prod(want.shape))
    kind, zero = _operand(sketch)
    op = ops.FloatDense(input_scale=_SCALE, input_zero_point=zero)
    rows = Want(shape=(*lead, length), dtype=kind)
    weights = Want(shape=(outputs, length), dtype=_FLOAT32)
    return _product(sketch, inputs, op, (rows, weights), want)


def _operand(sketch: Sketch) -> tuple[DType, int]:
    """Type of the input, and the zero point where it is a byte."""
    kinds = (_FLOAT32, *sketch.contract.input_types)
    kind = sketch.deck.pick("float input", tuple(dict.fromkeys(kinds)))
    return kind, 0 if kind is _FLOAT32 else zero_point(sketch, kind, "float zero point")


def _product(
    sketch: Sketch,
    inputs: Operands,
    op: ops.FloatConv2d | ops.FloatDense,
    operands: tuple[Want, Want],
    want: Want,
) -> str:
    """Weights, perhaps a bias, and the node."""
    image, weights = operands
    bias = Want(shape=weights.shape[:1], dtype=_FLOAT32)

    def normal(wanted: Want) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return sketch.deck.rng.normal(0, 1, wanted.shape).astype(np.float32)

    x = inputs.take(0, image, lambda: normal(image))
    w = inputs.take(1, weights, lambda: normal(weights))
    more = inputs.perhaps(2, bias, lambda: normal(bias))
    terms = prod(weights.shape[1:])
    known, factor = sketch.size(x), sketch.size(w)
    unit = 1.0 if image.dtype is _FLOAT32 else _SCALE
    offset = abs(op.input_zero_point)
    size = Size(
        spread=sqrt(terms) * unit * (known.spread + offset) * factor.spread + len(more),
        bound=terms * unit * (known.bound + offset) * factor.bound + 8 * len(more),
    )
    return sketch.node(op, (x, w, *more), want, size)
