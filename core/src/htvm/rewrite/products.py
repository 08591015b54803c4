"""Convolutions and dense layers brought to an engine's contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node
from htvm.ir.tensor import Tensor, constant
from htvm.rewrite.edits import Change, fresh, title
from htvm.rewrite.ends import End, NewEnd, end_nodes, ends, new_ends
from htvm.rewrite.ranges import product_reach
from htvm.rewrite.rounding import Misfit
from htvm.target.contract import Contract, signed_range

Proposal = Change | Misfit


def kind_of(graph: Graph, node: Node) -> str:
    """The kind of layer as contracts call it; empty for none they have."""
    if isinstance(node.op, ops.Dense):
        return "dense"
    if not isinstance(node.op, ops.Conv2d):
        return ""
    channels = graph.tensors[node.inputs[0]].shape[1]
    return "depthwise" if node.op.groups == channels > 1 else "conv2d"


def product_changes(graph: Graph, node: Node, contract: Contract) -> Iterator[Proposal]:
    """Ways to bring a product of constant weights, and what follows, to a contract.

    A misfit says why a way does not lead there.
    """
    reach = product_reach(graph, node)
    if reach is None:
        return
    if reach.overflow:
        yield Misfit(text=f"the accumulator can wrap: {reach.overflow}")
        return
    if contract.raw:
        yield from _accumulating(graph, node, contract)
    axis = 1 if isinstance(node.op, ops.Conv2d) else len(graph.tensors[node.output].shape) - 1
    for end in ends(graph, node.output, reach, axis):
        product = _without_zero_points(graph, node, contract)
        if isinstance(product, Misfit):
            yield product
            return
        new = new_ends(end, contract)
        yield new if isinstance(new, Misfit) else _change(graph, node, end, new, product)


def _accumulating(graph: Graph, node: Node, contract: Contract) -> Iterator[Proposal]:
    """The product alone, requantised elsewhere, if that takes changing it."""
    product = _without_zero_points(graph, node, contract)
    if isinstance(product, Misfit):
        yield product
    elif product.node is not node:
        yield Change(
            removed=frozenset({node.name}),
            nodes=(*product.before, product.node),
            tensors=product.tensors,
            main=node.name,
            text=f"{product.text}; the accumulator is requantised on the host",
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Product:
    """A product the contract takes, and what has to come before it."""

    node: Node
    before: tuple[Node, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    text: str = ""


def _change(graph: Graph, node: Node, end: End, new: NewEnd, product: _Product) -> Change:
    copies: list[Node] = []
    tensors = [*product.tensors]
    for number, _ in enumerate(new.arms):
        made = graph.tensors[node.output]
        if number:
            made = replace(made, name=fresh(graph, f"{made.name}_down"))
            tensors.append(made)
        name = node.name if not number else fresh(graph, title("down", node.name))
        copies.append(replace(product.node, name=name, output=made.name))
    nodes, more = end_nodes(graph, end, new, tuple(copy.output for copy in copies))
    return Change(
        removed=frozenset({node.name, *(old.name for old in end.nodes)}),
        nodes=(*product.before, *copies, *nodes),
        tensors=(*tensors, *more),
        main=node.name,
        text="; ".join(text for text in (product.text, new.text) if text),
    )


def _without_zero_points(graph: Graph, node: Node, contract: Contract) -> _Product | Misfit:
    """The product with its zero points in weights, bias and padding, if the contract has none."""
    op = node.op
    assert isinstance(op, ops.Conv2d | ops.Dense)
    zero, weight_zero = op.input_zero_point, op.weight_zero_point
    weights = graph.tensors[node.inputs[1]]
    known = weights.dtype in contract.weight_types
    taken = contract.zero_points or (not weight_zero and (not zero or contract.pad_value == "any"))
    if known and taken:
        return _Product(node=node)
    matrix = np.asarray(weights.value).astype(np.int64) - weight_zero
    least, most = contract.weight_range
    if matrix.size and (matrix.min() < least or matrix.max() > most):
        seen = f"{int(matrix.min())}..{int(matrix.max())}"
        return Misfit(text=f"less their zero point the weights reach {seen}, not {least}..{most}")
    bias = graph.tensors[node.inputs[2]].value if len(node.inputs) > 2 else None
    start = np.zeros(len(matrix), np.int64) if bias is None else bias.astype(np.int64)
    folded = start - zero * matrix.reshape(len(matrix), -1).sum(axis=1)
    low, high = signed_range(32)
    if folded.size and (folded.min() < low or folded.max() > high):
        seen = f"{int(folded.min())}..{int(folded.max())}"
        return Misfit(text=f"with the input zero point {zero} in it the bias reaches {seen}")
    parameters = (
        constant(fresh(graph, f"{node.name}_weights"), matrix, DType.INT8)
        if weight_zero or not known
        else weights,
        constant(fresh(graph, f"{node.name}_bias"), folded, DType.INT32),
    )
    plain = replace(op, input_zero_point=0, weight_zero_point=0)
    text = f"input zero point {zero} is in the bias" if zero else "weights without zero point"
    inputs = (node.inputs[0], *(tensor.name for tensor in parameters))
    bare = _Product(node=replace(node, op=plain, inputs=inputs), tensors=parameters, text=text)
    padded = isinstance(op, ops.Conv2d) and any(op.pad)
    return _padded(graph, bare, zero) if padded and zero else bare


def _padded(graph: Graph, product: _Product, value: int) -> _Product:
    """The product of an image with its padding written out."""
    node = product.node
    assert isinstance(node.op, ops.Conv2d)
    image = graph.tensors[node.inputs[0]]
    top, left, bottom, right = node.op.pad
    op = ops.Pad(before=(0, 0, top, left), after=(0, 0, bottom, right), value=value)
    batch, channels, height, width = image.shape
    framed = replace(
        image,
        name=fresh(graph, f"{node.name}_framed"),
        shape=(batch, channels, height + top + bottom, width + left + right),
    )
    pad = Node(
        name=fresh(graph, f"{node.name}_frame"),
        op=op,
        inputs=(image.name,),
        output=framed.name,
        source=node.source,
    )
    bare = replace(
        node, op=replace(node.op, pad=(0, 0, 0, 0)), inputs=(framed.name, *node.inputs[1:])
    )
    text = f"{product.text}, and the padding holds {value}"
    return replace(product, node=bare, before=(pad,), tensors=(*product.tensors, framed), text=text)
