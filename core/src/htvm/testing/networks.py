"""Small networks such as people deploy, in the arithmetic a contract states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import sqrt

from htvm.ir import ops, requant
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph
from htvm.target.contract import Contract
from htvm.testing.drawing.deck import Deck
from htvm.testing.drawing.products import weights
from htvm.testing.drawing.requantise import requantisation, result_size
from htvm.testing.drawing.sketch import Size, Sketch, Want

_KINDS = tuple(requant.Requant.__subclasses__())
INT32 = DType.INT32


def networks(contract: Contract) -> Iterator[Graph]:
    """Every network, in operands and requantisation of the contract."""
    eight = next((t for t in contract.output_types if t in contract.input_types), DType.INT8)
    usual = replace(
        contract, input_types=(eight,), output_types=(eight,), weight_types=(DType.INT8,)
    )
    for seed, (name, make) in enumerate(_MAKERS.items()):
        sketch = Sketch(Deck(seed), usual)
        yield replace(sketch.graph(make(sketch)), name=name)


def _end(sketch: Sketch, sums: str) -> str:
    """Back to eight bits."""
    before = sketch.tensor(sums)
    want = Want(shape=before.shape, dtype=sketch.contract.output_types[0])
    op = requantisation(sketch, _KINDS, sketch.size(sums), want)
    return sketch.node(op, [sums], want, result_size(want.dtype))


def _conv(
    sketch: Sketch, x: str, outputs: int, *, kernel: int = 3, stride: int = 1, groups: int = 1
) -> str:
    _, channels, height, width = sketch.tensor(x).shape
    pad = kernel // 2
    shape = (outputs, channels // groups, kernel, kernel)
    extents = [(size + 2 * pad - kernel) // stride + 1 for size in (height, width)]
    w = sketch.constant(weights(sketch, DType.INT8, shape), DType.INT8)
    op = ops.Conv2d(stride=(stride, stride), pad=(pad,) * 4, groups=groups)
    want = Want(shape=(1, outputs, *extents), dtype=INT32)
    taps = shape[1] * kernel * kernel
    return _end(sketch, sketch.node(op, [x, w], want, _sum(sketch, x, w, taps)))


def _dense(sketch: Sketch, x: str, outputs: int) -> str:
    length = sketch.tensor(x).elements
    if len(sketch.tensor(x).shape) > 2:
        flat = Want(shape=(1, length), dtype=sketch.tensor(x).dtype)
        x = sketch.node(ops.Reshape(shape=flat.shape), [x], flat, sketch.size(x))
    w = sketch.constant(weights(sketch, DType.INT8, (outputs, length)), DType.INT8)
    want = Want(shape=(1, outputs), dtype=INT32)
    return _end(sketch, sketch.node(ops.Dense(), [x, w], want, _sum(sketch, x, w, length)))


def _sum(sketch: Sketch, a: str, b: str, terms: int) -> Size:
    one, other = sketch.size(a), sketch.size(b)
    return Size(
        spread=sqrt(terms) * one.spread * other.spread, bound=terms * one.bound * other.bound
    )


def _add(sketch: Sketch, a: str, b: str) -> str:
    want = Want(shape=sketch.tensor(a).shape, dtype=INT32)
    wide = [sketch.node(ops.Cast(out=INT32), [x], want, sketch.size(x)) for x in (a, b)]
    total = Size(
        spread=sqrt(2) * sketch.size(a).spread, bound=sketch.size(a).bound + sketch.size(b).bound
    )
    return _end(sketch, sketch.node(ops.Elementwise(function="add"), wide, want, total))


def _mean(sketch: Sketch, x: str) -> str:
    _, channels, height, width = sketch.tensor(x).shape
    op = ops.SumPool2d(kernel=(height, width), stride=(1, 1))
    size = sketch.size(x)
    count = height * width
    want = Want(shape=(1, channels, 1, 1), dtype=INT32)
    sums = Size(spread=sqrt(count) * size.spread, bound=count * size.bound)
    return _end(sketch, sketch.node(op, [x], want, sums))


def _image(sketch: Sketch, *shape: int) -> str:
    return sketch.leaf(Want(shape=(1, *shape), dtype=sketch.contract.input_types[0]))


def _convolutions(sketch: Sketch) -> str:
    """A classifier of plain, strided, depthwise and pointwise convolutions."""
    x = _conv(sketch, _image(sketch, 3, 18, 20), 16)
    x = _conv(sketch, x, 24, stride=2)
    x = _conv(sketch, x, 24, groups=24)
    x = _conv(sketch, x, 32, kernel=1)
    return _dense(sketch, _mean(sketch, x), 10)


def _residual(sketch: Sketch) -> str:
    """A block with a shortcut."""
    x = _conv(sketch, _image(sketch, 8, 12, 12), 16)
    y = _conv(sketch, _conv(sketch, x, 16), 16)
    return _conv(sketch, _add(sketch, x, y), 8, stride=2)


def _branches(sketch: Sketch) -> str:
    """Two branches joined, then pooled."""
    x = _image(sketch, 5, 10, 14)
    a, b = _conv(sketch, x, 8, kernel=1), _conv(sketch, x, 12, kernel=5)
    shape = sketch.tensor(a).shape
    want = Want(shape=(1, 20, *shape[2:]), dtype=sketch.tensor(a).dtype)
    both = sketch.node(ops.Concat(axis=1), [a, b], want, sketch.size(a))
    half = Want(shape=(1, 20, shape[2] // 2, shape[3] // 2), dtype=want.dtype)
    pooled = ops.MaxPool2d(kernel=(2, 2), stride=(2, 2))
    return _conv(sketch, sketch.node(pooled, [both], half, sketch.size(both)), 9, kernel=1)


def _vectors(sketch: Sketch) -> str:
    """Dense layers that narrow and widen."""
    x = _image(sketch, 100)
    for outputs in (40, 8, 64):
        x = _dense(sketch, x, outputs)
    return x


_MAKERS: dict[str, Callable[[Sketch], str]] = {
    "convolutions": _convolutions,
    "residual": _residual,
    "branches": _branches,
    "vectors": _vectors,
}
