"""Sums of two 8-bit tensors, in floats or fixed point, brought to whole numbers.

Such a sum has at most 65,536 different operands, so its results are simply all computed: the proof
that a form in whole numbers equals it is the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np

from htvm.ir import ops
from htvm.ir.graph import Graph, Node
from htvm.ir.ops import Op
from htvm.ir.requant import FloatRequant, Mulshift31Requant, Requant, ShiftRequant, TfliteRequant
from htvm.ir.tensor import Tensor
from htvm.numerics import apply
from htvm.numerics.arithmetic import Numbers
from htvm.rewrite.edits import Change, sole_reader
from htvm.rewrite.ends import EIGHT_BITS, End, NewEnd, end_nodes, new_ends
from htvm.rewrite.ranges import Ints
from htvm.rewrite.rounding import Misfit
from htvm.rewrite.staircase import NEVER, Staircase
from htvm.rewrite.sum_nodes import SumNodes
from htvm.target.contract import Contract, Range

FINEST = 8
"""Factors are tried with up to so many bits behind the point."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sum:
    """Two 8-bit tensors scaled, added and brought back to 8 bits.

    Attributes:
        add: The addition.
        terms: The tensors added.
        scaling: The nodes that scale each.
        end: The nodes behind the addition.
        gains: About what one step of each tensor contributes to the result.
    """

    add: Node
    terms: tuple[Tensor, Tensor]
    scaling: tuple[tuple[Node, ...], tuple[Node, ...]]
    end: Node
    gains: tuple[float, float]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes."""
        return (*self.scaling[0], *self.scaling[1], self.add, self.end)

    def results(self) -> Ints:
        """The result for every pair of operands, int64."""
        sides = [_values(term) for term in self.terms]
        grid: list[Numbers] = [sides[0][:, None], sides[1][None, :]]
        for side, nodes in enumerate(self.scaling):
            for node in nodes:
                grid[side] = apply(node.op, grid[side])
        total = apply(self.add.op, *grid)
        return apply(self.end.op, total).astype(np.int64)


def sum_at(graph: Graph, add: Node) -> Sum | None:
    """The sum around an addition, if it is one of two different 8-bit tensors."""
    if not isinstance(add.op, ops.Elementwise) or add.op.function != "add":
        return None
    end = sole_reader(graph, add.output)
    sides = [_side(graph, name) for name in add.inputs]
    if end is None or None in sides or not isinstance(end.op, Requant | ops.Quantize):
        return None
    (first, one), (second, two) = [side for side in sides if side is not None]
    out = graph.tensors[end.output]
    plain = end.op.axis is None or (isinstance(end.op, ops.Quantize) and end.op.scale.size == 1)
    if not plain or first.name == second.name or out.dtype not in EIGHT_BITS:
        return None
    if first.shape != out.shape or second.shape != out.shape:
        return None
    last = _gain(end.op)
    gains = (_gain(*(n.op for n in one)) * last, _gain(*(n.op for n in two)) * last)
    return Sum(add=add, terms=(first, second), scaling=(one, two), end=end, gains=gains)


def sum_changes(graph: Graph, found: Sum, contract: Contract) -> Iterator[Change | Misfit]:
    """Ways to bring a sum to a contract: whole factors, an addition, a shift."""
    table = found.results()
    seen = ""
    for factors in _factors(found.gains, contract.weight_range):
        steps = _stairs(found, table, factors)
        if isinstance(steps, str):
            seen = seen or steps
            continue
        end = End(
            nodes=(found.end,),
            output=graph.tensors[found.end.output],
            clip=(int(table.min()), int(table.max())),
            axis=None,
            steps=steps,
            mode=_mode(found),
        )
        new = new_ends(end, contract)
        if isinstance(new, NewEnd):
            yield _change(graph, found, factors, end, new)
            return
        seen = seen or new.text
    yield Misfit(text=f"the sum equals none of whole multiples: {seen}")


def _side(graph: Graph, name: str) -> tuple[Tensor, tuple[Node, ...]] | None:
    """The 8-bit tensor behind an operand, and the nodes that scale it."""
    nodes: list[Node] = []
    while graph.tensors[name].dtype not in EIGHT_BITS:
        node = graph.producers.get(name)
        if node is None or len(nodes) == 2 or sole_reader(graph, name) is None:
            return None
        if not _scales(node.op) or len(node.inputs) != 1:
            return None
        nodes.append(node)
        name = node.inputs[0]
    tensor = graph.tensors[name]
    return (tensor, tuple(reversed(nodes))) if nodes and not tensor.is_constant else None


def _scales(op: Op) -> bool:
    if isinstance(op, ops.Dequantize):
        return op.scale.size == 1
    return isinstance(op, ops.Cast) or (isinstance(op, Requant) and op.axis is None)


def _gain(*chain: Op) -> float:
    """About how much the result rises with the operand."""
    gain = 1.0
    for op in chain:
        if isinstance(op, ops.Dequantize | FloatRequant):
            gain *= float(op.scale[0])
        elif isinstance(op, ops.Quantize):
            gain /= float(op.scale[0])
        elif isinstance(op, TfliteRequant):
            gain *= float(op.mul[0]) * 2.0 ** (int(op.exponent[0]) + op.left_shift - 31)
        elif isinstance(op, ShiftRequant | Mulshift31Requant):
            gain *= float(op.mul[0]) * 2.0 ** -int(op.shift[0])
    return gain


def _mode(found: Sum) -> str:
    if isinstance(found.end.op, Requant):
        return f"the {found.end.op.mode} sum"
    return "the float32 sum"


def _factors(gains: Sequence[float], limits: Range) -> Iterator[tuple[int, int]]:
    """Whole factors in about the ratio of the gains, coarse ones first."""
    tried = set()
    for bits in range(-FINEST, FINEST + 1):
        pair = [round(gain * 2.0**bits) for gain in gains]
        common = gcd(*pair)
        if not common or not all(limits[0] <= factor <= limits[1] and factor for factor in pair):
            continue
        reduced = (pair[0] // common, pair[1] // common)
        if reduced not in tried:
            tried.add(reduced)
            yield reduced


def _values(tensor: Tensor) -> Numbers:
    lo, hi = tensor.span
    return np.arange(lo, hi + 1).astype(tensor.dtype.numpy)


class _Table:
    """The staircase of a table over the sums that its operands make."""

    def __init__(self, sums: Ints, results: Ints) -> None:
        self._sums = sums
        self._results = results

    def __call__(self, levels: Range) -> Staircase:
        wanted = np.arange(levels[0] + 1, levels[1] + 1, dtype=np.int64)
        first = np.searchsorted(self._results, wanted)
        padded = np.concatenate([[-NEVER], self._sums, [NEVER]])
        return Staircase(levels=wanted, below=padded[first][None], above=padded[first + 1][None])


def _stairs(found: Sum, table: Ints, factors: tuple[int, int]) -> _Table | str:
    """The results as a staircase over ``factors . operands``, or a pair that contradicts it."""
    sides = [_values(term).astype(np.int64) for term in found.terms]
    sums = factors[0] * sides[0][:, None] + factors[1] * sides[1][None, :]
    order = np.lexsort((table.ravel(), sums.ravel()))
    ordered, results = sums.ravel()[order], table.ravel()[order]
    falls = np.flatnonzero(np.diff(results) < 0)
    same = np.flatnonzero((np.diff(ordered) == 0) & (np.diff(results) != 0))
    wrong = np.concatenate([falls, same])
    if wrong.size:
        at = int(wrong.min())
        pairs = [
            tuple(int(sides[side][index]) for side, index in enumerate(place))
            for place in (np.unravel_index(order[at + step], sums.shape) for step in (0, 1))
        ]
        return (
            f"{pairs[0]} gives {int(results[at])} and {pairs[1]} gives {int(results[at + 1])}, but "
            f"{factors[0]} a + {factors[1]} b is {int(ordered[at])} and {int(ordered[at + 1])}"
        )
    return _Table(ordered, results)


def _change(graph: Graph, found: Sum, factors: tuple[int, int], end: End, new: NewEnd) -> Change:
    build = SumNodes(graph, found.add)
    totals = tuple(build.total(found.terms, factors, arm) for arm in range(len(new.arms)))
    last, more = end_nodes(graph, end, new, totals)
    weights = "" if factors == (1, 1) else f" of {factors[0]} a + {factors[1]} b"
    return Change(
        removed=frozenset(node.name for node in found.nodes),
        nodes=(*build.nodes, *last),
        tensors=(*build.tensors, *more),
        main=found.add.name,
        text=f"for every pair of operands {new.text}{weights}",
    )
