"""Draws convolutions, dense layers and matrix products."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np
import numpy.typing as npt

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.ops import Pads, Pair
from htvm.target.contract import signed_range
from htvm.testing.drawing.operands import Operands
from htvm.testing.drawing.sketch import Size, Sketch, Unsuited, Want

MOST_MACS = 150_000
"""Multiply-accumulates of a drawn layer; the emulation computes them all."""
MOST_ELEMENTS = 6_000
"""Elements of a drawn tensor."""
KERNELS: tuple[Pair, ...] = ((3, 3), (1, 1), (5, 5), (7, 7), (1, 3), (3, 1), (5, 3), (2, 2), (4, 4))
INT32 = DType.INT32
_ACCUMULATOR = 2.0**31 - 1


def operand_type(sketch: Sketch) -> DType:
    """Element type of an operand."""
    return sketch.deck.pick("input type", sketch.contract.input_types)


def zero_point(sketch: Sketch, dtype: DType, choice: str) -> int:
    """A zero point, 0 most of the time."""
    if not sketch.contract.zero_points:
        return 0
    least, greatest = dtype.bounds
    return sketch.deck.often(choice, 0, least, greatest, least + 121)


def weights(sketch: Sketch, dtype: DType, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Weights over the whole range of the contract: small, any, or the ends of the range."""
    least = max(sketch.contract.weight_range[0], dtype.bounds[0])
    greatest = min(sketch.contract.weight_range[1], dtype.bounds[1])
    kind = sketch.deck.pick("weights", ("any", "small", "any", "ends"))
    if kind == "ends":
        return sketch.deck.rng.choice(np.array([least, greatest], np.int64), shape)
    if kind == "small":
        least, greatest = max(least, -4), min(greatest, 4)
    return sketch.deck.rng.integers(least, greatest, shape, endpoint=True)


def convolution(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """A 2-D convolution that gives the image wanted."""
    if len(want.shape) != 4 or want.dtype is not INT32:
        raise Unsuited
    deck = sketch.deck
    outputs = want.shape[1]
    kernel = deck.pick("kernel", KERNELS)
    stride = deck.pick("stride", ((1, 1), (2, 2), (1, 1), (2, 1), (3, 3)))
    dilation = deck.pick("dilation", ((1, 1),) * 5 + ((2, 2),))
    groups, channels = grouping(sketch, want, kernel)
    extents, pad = image_for(sketch, want.shape[2:], kernel, stride, dilation)
    kind, weight_kind = operand_type(sketch), deck.pick("weight type", sketch.contract.weight_types)
    x = inputs.take(0, Want(shape=(1, channels, *extents), dtype=kind), _no_value)
    op = ops.Conv2d(
        stride=stride,
        pad=pad,
        dilation=dilation,
        groups=groups,
        input_zero_point=zero_point(sketch, kind, "input zero point"),
        weight_zero_point=zero_point(sketch, weight_kind, "weight zero point"),
    )
    shape = (outputs, channels // groups, *kernel)
    return _product(sketch, inputs, op, (x, Want(shape=shape, dtype=weight_kind)), want)


def dense(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """A dense layer that gives the vectors wanted."""
    if want.dtype is not INT32 or not want.shape:
        raise Unsuited
    *lead, outputs = want.shape
    length = row_length(sketch, prod(want.shape))
    kind = operand_type(sketch)
    weight_kind = sketch.deck.pick("weight type", sketch.contract.weight_types)
    x = inputs.take(0, Want(shape=(*lead, length), dtype=kind), _no_value)
    op = ops.Dense(
        input_zero_point=zero_point(sketch, kind, "input zero point"),
        weight_zero_point=zero_point(sketch, weight_kind, "weight zero point"),
    )
    weight = Want(shape=(outputs, length), dtype=weight_kind)
    return _product(sketch, inputs, op, (x, weight), want)


def matmul(sketch: Sketch, inputs: Operands, want: Want) -> str:
    """A product of two tensors that gives the matrices wanted."""
    if want.dtype is not INT32 or len(want.shape) < 2:
        raise Unsuited
    *lead, rows, columns = want.shape
    length = row_length(sketch, prod(want.shape))
    kinds = operand_type(sketch), operand_type(sketch)
    shapes = (*lead, rows, length), (*lead, length, columns)
    wants = [Want(shape=shape, dtype=kind) for shape, kind in zip(shapes, kinds, strict=True)]
    names = [inputs.take(index, wanted, _no_value) for index, wanted in enumerate(wants)]
    zeros = [
        zero_point(sketch, kind, f"zero point of operand {at}") for at, kind in enumerate(kinds)
    ]
    op = ops.MatMul(a_zero_point=zeros[0], b_zero_point=zeros[1])
    return sketch.node(op, names, want, _sum_size(sketch, names[0], names[1], length, zeros))


def _product(
    sketch: Sketch, inputs: Operands, op: ops.Conv2d | ops.Dense, of: tuple[str, Want], want: Want
) -> str:
    """Weights, perhaps a bias, and the node."""
    x, weight = of
    w = inputs.take(1, weight, lambda: weights(sketch, weight.dtype, weight.shape))
    taps = prod(weight.shape[1:])
    size = _sum_size(sketch, x, w, taps, [op.input_zero_point, op.weight_zero_point])
    reach = min(2 * size.spread + 1, 2.0 ** (max(sketch.contract.bias_bits, 1) - 1) - 1)
    reach = min(reach, max(0.0, _ACCUMULATOR - size.bound))
    bias = Want(shape=weight.shape[:1], dtype=INT32)
    more: tuple[str, ...] = ()
    if signed_range(sketch.contract.bias_bits) != (0, 0):
        more = inputs.perhaps(
            2, bias, lambda: sketch.deck.rng.integers(-int(reach), int(reach) + 1, bias.shape)
        )
    final = Size(spread=size.spread + bool(more) * reach / 2, bound=size.bound + bool(more) * reach)
    return sketch.node(op, (x, w, *more), want, final)


def _sum_size(sketch: Sketch, a: str, b: str, terms: int, zeros: list[int]) -> Size:
    """Size of sums of products."""
    sizes = [sketch.size(name) for name in (a, b)]
    spreads = [size.spread + abs(zero) for size, zero in zip(sizes, zeros, strict=True)]
    bounds = [size.bound + abs(zero) for size, zero in zip(sizes, zeros, strict=True)]
    return Size(
        spread=sqrt(terms) * spreads[0] * spreads[1],
        bound=min(terms * bounds[0] * bounds[1], _ACCUMULATOR),
    )


def grouping(sketch: Sketch, want: Want, kernel: Pair) -> tuple[int, int]:
    """Groups and input channels."""
    outputs = want.shape[1]
    kind = sketch.deck.pick("grouping", ("one", "one", "depthwise", "one", "two"))
    if kind == "depthwise":
        return outputs, outputs
    most = max(1, MOST_MACS // (prod(want.shape) * prod(kernel)))
    channels = sketch.deck.extent("channels", most)
    if kind == "two" and outputs % 2 == 0:
        return 2, 2 * channels
    return 1, channels


def row_length(sketch: Sketch, outputs: int) -> int:
    """Products of each output of a dense layer."""
    sizes = (1, 3, 8, 15, 16, 17, 32, 64, 100, 129, 300, 640)
    most = min(MOST_ELEMENTS, MOST_MACS // outputs)
    return sketch.deck.pick("length", tuple(size for size in sizes if size <= most) or (1,))


def image_for(
    sketch: Sketch, wanted: tuple[int, ...], kernel: Pair, stride: Pair, dilation: Pair
) -> tuple[Pair, Pads]:
    """An image and its padding that give an output of the extents wanted."""
    style = sketch.deck.pick("padding", ("same", "none", "uneven"))
    axes = []
    for axis in (0, 1):
        reach = (kernel[axis] - 1) * dilation[axis] + 1
        covered = (wanted[axis] - 1) * stride[axis] + reach
        before, after = _pads(sketch, style, reach)
        left_over = int(sketch.deck.rng.integers(stride[axis]))
        extent = covered - before - after + left_over
        if extent < 1:
            before, after, extent = 0, 0, covered
        axes.append((extent, before, after))
    (rows, top, bottom), (columns, left, right) = axes
    return (rows, columns), (top, left, bottom, right)


def _pads(sketch: Sketch, style: str, reach: int) -> Pair:
    """Padding before and after on one axis, less than the window reaches."""
    if style == "none" or reach == 1:
        return 0, 0
    if style == "same":
        return (reach - 1) // 2, reach // 2
    before, after = sketch.deck.rng.integers(0, reach, 2)
    return int(before), int(after)


def _no_value() -> npt.ArrayLike:
    """The first operand of a product is never a constant."""
    raise Unsuited
