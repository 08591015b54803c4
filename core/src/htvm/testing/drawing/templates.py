"""Draws a network that a template fits, from its output back to its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod

from htvm.ir import ops, requant
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph
from htvm.ir.ops import Op
from htvm.target.contract import Contract
from htvm.target.pattern import Template
from htvm.testing.drawing import elements, float_products, pooling, products
from htvm.testing.drawing.deck import Deck
from htvm.testing.drawing.operands import Operands
from htvm.testing.drawing.requantise import MODES, requantisation, result_size
from htvm.testing.drawing.sketch import Sketch, Unsuited, Want

ATTEMPTS = 40
"""Times to start anew before a template is given up."""
MOST_ELEMENTS = 4_000

Maker = Callable[[Sketch, Operands, Want], str]

MAKERS: Mapping[type[Op], Maker] = {
    ops.Conv2d: products.convolution,
    ops.Dense: products.dense,
    ops.FloatConv2d: float_products.float_convolution,
    ops.FloatDense: float_products.float_dense,
    ops.MatMul: products.matmul,
    ops.SumPool2d: pooling.sum_pool,
    ops.MaxPool2d: pooling.max_pool,
    ops.AvgPool2d: pooling.avg_pool,
    ops.ReduceSum: pooling.reduce_sum,
    ops.SoftmaxTflite: pooling.softmax_tflite,
    ops.SoftmaxTable: pooling.softmax_table,
    ops.QLinearSoftmax: pooling.qlinear_softmax,
    ops.Elementwise: elements.elementwise,
    ops.Cast: elements.cast,
    ops.Clip: elements.clip,
    ops.Lut: elements.lut,
    ops.Quantize: elements.quantize,
    ops.Dequantize: elements.dequantize,
    ops.Transpose: elements.transpose,
    ops.Reshape: elements.reshape,
    ops.Pad: elements.pad,
    ops.Slice: elements.cut,
    ops.Concat: elements.concat,
}
_IMAGES = (ops.Conv2d, ops.FloatConv2d, ops.SumPool2d, ops.MaxPool2d, ops.AvgPool2d)
_SUMS = (ops.Conv2d, ops.Dense, ops.MatMul, ops.SumPool2d, ops.ReduceSum)
_EIGHT = (DType.INT8, DType.UINT8)


def draw_graph(template: Template, deck: Deck, contract: Contract) -> Graph | None:
    """A network the template fits as a whole; None if none was found.

    Args:
        template: The last node.
        deck: Where choices come from.
        contract: The arithmetic drawn from.
    """
    for _ in range(ATTEMPTS):
        sketch = Sketch(deck, contract)
        try:
            output = draw_node(sketch, template, _wanted(sketch, template))
        except Unsuited:
            continue
        return sketch.graph(output)
    return None


def draw_node(sketch: Sketch, template: Template, want: Want) -> str:
    """A node a template fits.

    Raises:
        Unsuited: None of the template's ops can give what is wanted.
    """
    if template.optional and template.inputs and sketch.deck.pick("left out", (True, True, False)):
        return Operands(sketch=sketch, entries=template.inputs[:1], draw=draw_node).take(
            0, want, elements.no_value
        )
    inputs = Operands(sketch=sketch, entries=template.inputs, draw=draw_node)
    able = [kind for kind in concrete(template) if want.dtype in gives(kind, sketch.contract)]
    if not able:
        raise Unsuited
    kind = sketch.deck.pick("op", able)
    if issubclass(kind, requant.Requant):
        return _requant(sketch, inputs, kind, want)
    return MAKERS[kind](sketch, inputs, want)


def concrete(template: Template) -> tuple[type[Op], ...]:
    """The ops of a template that can be drawn, families of ops spelled out.

    Raises:
        Unsuited: There are none.
    """
    known = (*MAKERS, *requant.Requant.__subclasses__())
    found = tuple(kind for kind in known if issubclass(kind, template.ops))
    if not found:
        raise Unsuited
    return found


def _requant(sketch: Sketch, inputs: Operands, kind: type[requant.Requant], want: Want) -> str:
    first = inputs.entries[0] if inputs.entries else ""
    sums = isinstance(first, Template) and not first.optional and set(concrete(first)) & {*_SUMS}
    before = DType.INT32 if sums else _requantised(sketch)
    x = inputs.take(0, want.like(before), elements.no_value)
    op = requantisation(sketch, (kind,), sketch.size(x), want)
    return sketch.node(op, [x], want, result_size(want.dtype))


def _requantised(sketch: Sketch) -> DType:
    """Type of what a requantisation by itself reads."""
    return sketch.deck.pick("requantised", (DType.INT32, *sketch.contract.input_types))


def gives(kind: type[Op], contract: Contract) -> tuple[DType, ...]:
    """Element types an op can give within a contract."""
    floats = {"f32", "f32_emul"} & {*contract.modes}
    if kind in _SUMS:
        return (DType.INT32,)
    if issubclass(kind, requant.Requant):
        able = any(MODES[mode] is kind for mode in contract.modes)
        return tuple(t for t in contract.output_types if t is not DType.INT64) if able else ()
    if kind in {ops.Dequantize, ops.SoftmaxTable, ops.FloatConv2d, ops.FloatDense}:
        return (DType.FLOAT32,) if floats else ()
    if kind is ops.Quantize:
        return _eight(contract) if floats else ()
    if kind in {ops.MaxPool2d, ops.AvgPool2d, ops.QLinearSoftmax, ops.SoftmaxTflite}:
        return _eight(contract)
    if kind in {ops.Elementwise, ops.Cast}:
        return (DType.INT32, DType.FLOAT32) if floats else (DType.INT32,)
    if kind is ops.Lut:
        return tuple(t for t in contract.output_types if t is not DType.INT64)
    return (*_eight(contract), DType.INT32, *((DType.FLOAT32,) if floats else ()))


def _eight(contract: Contract) -> tuple[DType, ...]:
    return tuple(kind for kind in _EIGHT if kind in contract.input_types)


def _wanted(sketch: Sketch, template: Template) -> Want:
    """A shape and type for the output."""
    kinds = tuple(dict.fromkeys(_chain(template)))
    last = concrete(template)
    dtype = sketch.deck.pick("type", _types(sketch, last))
    deck = sketch.deck
    if any(kind in _IMAGES for kind in kinds):
        shape: tuple[int, ...] = (1, *_image(deck))
    elif ops.Dense in kinds or ops.FloatDense in kinds:
        rows = deck.often("vectors", 1, 2, 5)
        shape = (rows, deck.extent("outputs", 65))
    elif ops.MatMul in kinds:
        shape = (1, deck.extent("rows", 17), deck.extent("columns", 33))
    elif ops.ReduceSum in kinds:
        shape = (1, deck.extent("kept", 65), *deck.pick("ones", ((1, 1), (), (1,), (3, 4))))
    else:
        shape = deck.often("image", (1, *_image(deck)), (1, deck.extent("vector", 65)))
    return Want(shape=shape, dtype=dtype)


def _image(deck: Deck) -> tuple[int, int, int]:
    """Channels, rows and columns within bounds."""
    most = MOST_ELEMENTS
    sizes = []
    for choice in ("depth", "height", "width"):
        sizes.append(deck.extent(choice, min(65, most)))
        most = max(1, MOST_ELEMENTS // prod(sizes))
    return sizes[0], sizes[1], sizes[2]


def _types(sketch: Sketch, last: tuple[type[Op], ...]) -> tuple[DType, ...]:
    """Types the last op may give, eight bits where it has the choice.

    Raises:
        Unsuited: None within the contract.
    """
    found = tuple(dict.fromkeys(t for kind in last for t in gives(kind, sketch.contract)))
    small = tuple(t for t in found if t.size_bytes < 4)
    only_requants = all(issubclass(kind, requant.Requant | ops.Quantize) for kind in last)
    if not found:
        raise Unsuited
    return small if only_requants and small else found


def _chain(template: Template) -> Iterator[type[Op]]:
    """The ops from the output back along first inputs that are not optional."""
    yield from concrete(template)
    for entry in template.inputs[:1]:
        if isinstance(entry, Template):
            yield from _chain(entry)


def kinds(template: Template) -> frozenset[type[Op]]:
    """Every op anywhere in a template."""
    found = set(concrete(template))
    for entry in template.inputs:
        if isinstance(entry, Template):
            found |= kinds(entry)
    return frozenset(found)
