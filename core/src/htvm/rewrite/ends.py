"""What follows an accumulator, rewritten as additions and shifts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node
from htvm.ir.ops import Op
from htvm.ir.requant import (
    FloatRequant,
    Ints,
    Mulshift31Requant,
    Requant,
    ShiftRequant,
    TfliteRequant,
)
from htvm.ir.tensor import Tensor
from htvm.rewrite.edits import fresh, sole_reader, title
from htvm.rewrite.ranges import Reach
from htvm.rewrite.rounding import Floats, Misfit, Shift, one_shift, two_shifts
from htvm.rewrite.staircase import Staircase, chained, rises, staircase
from htvm.target.contract import Contract, Range

EIGHT_BITS = (DType.INT8, DType.UINT8)
Steps = Callable[[Range], Staircase]


@dataclass(frozen=True, kw_only=True, eq=False)
class End:
    """The nodes between an accumulator and an 8-bit tensor, all of them on single elements.

    Attributes:
        nodes: In execution order.
        output: What they write.
        clip: Least and greatest result that is reached.
        axis: Axis of the channels in the accumulator; None if all elements are alike.
        steps: The staircase of the nodes together, given least and greatest result.
        mode: The source's arithmetic, for people.
        slopes: Results per accumulator, by channel, if the first node tells.
    """

    nodes: tuple[Node, ...]
    output: Tensor
    clip: Range
    axis: int | None
    steps: Steps
    mode: str
    slopes: Floats | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class NewEnd:
    """Additions and shifts equal to an :class:`End`.

    Attributes:
        arms: One requantisation of the accumulator, or two of two equal ones.
        clip: What the host still has to clip to, or None.
        text: Why no number changes.
    """

    arms: tuple[ShiftRequant, ...]
    clip: Range | None
    text: str


def ends(graph: Graph, accumulator: str, reach: Reach, axis: int | None) -> Iterator[End]:
    """Every run of nodes behind an accumulator that ends in 8 bits, longest first."""
    found: list[End] = []
    nodes: list[Node] = []
    tensor = accumulator
    while (reader := sole_reader(graph, tensor)) is not None:
        written = graph.tensors[reader.output]
        if not _continues(reader.op, graph.tensors[tensor]) or written.dtype not in EIGHT_BITS:
            break
        nodes.append(reader)
        tensor = reader.output
        found.append(_end(graph, accumulator, tuple(nodes), reach, axis))
    return reversed(found)


def _continues(op: Op, read: Tensor) -> bool:
    if isinstance(op, ops.Clip):
        return True
    if not isinstance(op, Requant | ops.Lut):
        return False
    least = read.dtype.bounds[0]
    span = (read.span[0] - least, read.span[1] - least)
    return rises(op, span)


def _end(
    graph: Graph, accumulator: str, nodes: tuple[Node, ...], reach: Reach, axis: int | None
) -> End:
    output = graph.tensors[nodes[-1].output]
    function = chained([node.op for node in nodes], graph.tensors[accumulator].dtype.numpy)
    edges = np.stack([reach.least, reach.least + (reach.most - reach.least)], axis=1)
    results = function(edges)
    first = nodes[0].op
    return End(
        nodes=nodes,
        output=output,
        clip=(int(results.min()), int(results.max())),
        axis=axis,
        steps=lambda levels: staircase(function, reach, levels),
        mode=first.mode if isinstance(first, Requant) else first.kind,
        slopes=None if len(nodes) > 1 else _slopes(first, len(reach.least)),
    )


def _slopes(op: Op, channels: int) -> Floats | None:
    if isinstance(op, FloatRequant):
        scale = op.scale.astype(np.float64)
    elif isinstance(op, Mulshift31Requant | ShiftRequant):
        scale = op.mul / 2.0**op.shift
    elif isinstance(op, TfliteRequant):
        scale = op.mul / 2.0**31 * 2.0 ** (op.exponent + op.left_shift)
    else:
        return None
    return np.broadcast_to(scale, (channels,))


def new_ends(end: End, contract: Contract) -> NewEnd | Misfit:
    """An end in a contract's arithmetic, with as little as possible left to the host."""
    type_ = end.output.dtype.bounds
    clips = [clip for clip in contract.clips or (type_,) if _holds(type_, clip)]
    wide = [clip for clip in clips if _holds(clip, end.clip)]
    if not wide or "shift" not in contract.modes:
        return Misfit(text=f"results of {end.clip[0]}..{end.clip[1]} fit no clip of the engine")
    clip = min(wide, key=lambda span: span[1] - span[0])
    whole = one_shift(end.steps(clip), contract, end.slopes)
    if isinstance(whole, Shift):
        text = f"{end.mode} is an addition and a shift on everything the accumulator reaches"
        return NewEnd(arms=(_arm(whole, clip, end),), clip=None, text=text)
    steps = end.steps(end.clip)
    inner = one_shift(steps, contract, end.slopes) if clip != end.clip else whole
    if isinstance(inner, Shift):
        text = f"{end.mode} is an addition and a shift, and a clip on the host"
        return NewEnd(arms=(_arm(inner, clip, end),), clip=end.clip, text=text)
    left: Range | None = None
    pair = two_shifts(end.steps(clip), contract)
    if isinstance(pair, Misfit):
        left, pair = end.clip, two_shifts(steps, contract)
    if isinstance(pair, Misfit):
        return Misfit(text=f"{end.mode} equals no addition and shift: {inner.text}")
    text = (
        f"{end.mode} rounds half to even: two roundings, up and down, differ on ties only, and the "
        "host takes the even one"
    )
    arms = tuple(_arm(shift, clip, end) for shift in pair)
    return NewEnd(arms=arms, clip=left, text=text)


def _holds(outer: Range, inner: Range) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _arm(shift: Shift, clip: Range, end: End) -> ShiftRequant:
    def short(values: Ints) -> Ints:
        same = np.unique(values).size == 1
        return values[:1] if same or end.axis is None else values

    mul, add, by = short(shift.mul), short(shift.add), short(shift.shift)
    varied = max(mul.size, add.size, by.size) > 1
    return ShiftRequant(
        out=end.output.dtype,
        lo=clip[0],
        hi=clip[1],
        axis=end.axis if varied else None,
        mul=mul,
        add=add,
        shift=by,
    )


def end_nodes(
    graph: Graph, end: End, new: NewEnd, accumulators: tuple[str, ...]
) -> tuple[tuple[Node, ...], tuple[Tensor, ...]]:
    """The nodes of a new end, from accumulators to the old end's output.

    Args:
        graph: The graph before.
        end: The old end.
        new: The new one.
        accumulators: One for each arm.
    """
    build = _Build(graph=graph, end=end)
    if len(new.arms) == 1 and new.clip is None:
        build.add(new.arms[0], (accumulators[0],), end.output)
    elif len(new.arms) == 1 and new.clip is not None:
        wide = build.named("unclipped", end.output.dtype)
        build.add(new.arms[0], (accumulators[0],), wide)
        build.add(ops.Clip(lo=new.clip[0], hi=new.clip[1]), (wide.name,), end.output)
    else:
        build.mean(new, accumulators)
    return tuple(build.nodes), tuple(build.tensors)


class _Build:
    """Nodes being put together under the names of the end they replace."""

    def __init__(self, *, graph: Graph, end: End) -> None:
        self._graph = graph
        self._end = end
        self._source = tuple(dict.fromkeys(name for node in end.nodes for name in node.source))
        self.nodes: list[Node] = []
        self.tensors: list[Tensor] = []

    def named(self, word: str, dtype: DType) -> Tensor:
        """A new tensor of the output's shape."""
        output = self._end.output
        name = fresh(self._graph, f"{output.name}_{word}")
        return replace(output, name=name, dtype=dtype, quantization=None, bounds=None)

    def add(self, op: Op, inputs: tuple[str, ...], output: Tensor) -> None:
        """A node; the last one has the old end's name."""
        last = output is self._end.output
        old = self._end.nodes[-1].name
        word = output.name.removeprefix(self._end.output.name).strip("_")
        name = old if last else fresh(self._graph, title(word, old))
        node = Node(name=name, op=op, inputs=inputs, output=output.name, source=self._source)
        self.nodes.append(node)
        self.tensors.append(output)

    def mean(self, new: NewEnd, accumulators: tuple[str, ...]) -> None:
        """Half to even of the mean of two roundings."""
        end, wide = self._end, []
        for word, arm, accumulator in zip(("up", "down"), new.arms, accumulators, strict=True):
            rounded = self.named(word, end.output.dtype)
            self.add(arm, (accumulator,), rounded)
            widened = self.named(f"{word}_int32", DType.INT32)
            self.add(ops.Cast(out=DType.INT32), (rounded.name,), widened)
            wide.append(widened.name)
        total = self.named("both", DType.INT32)
        self.add(ops.Elementwise(function="add"), tuple(wide), total)
        lo, hi = new.clip or end.output.dtype.bounds
        half = FloatRequant(
            out=end.output.dtype,
            lo=lo,
            hi=hi,
            scale=np.array([0.5], np.float32),
            zero_point=0,
        )
        self.add(half, (total.name,), end.output)
