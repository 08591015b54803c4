"""Layers drawn for every pattern under test, and what the patterns say to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from htvm.errors import HtvmError
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph
from htvm.partition.names import identifier
from htvm.partition.stage import match_patterns
from htvm.plugins.patience import NoAnswerError
from htvm.target.contract import Contract
from htvm.target.hardware import Engine, Hardware
from htvm.target.layer import Layer
from htvm.target.pattern import Constraint, Pattern
from htvm.testing.drawing.deck import Deck
from htvm.testing.drawing.sketch import Unsuited
from htvm.testing.drawing.templates import draw_graph, kinds
from htvm.testing.outcome import Fault

EIGHT = (DType.INT8, DType.UINT8)
ANYTHING = Contract(
    ops=("anything",),
    input_types=EIGHT,
    weight_types=EIGHT,
    weight_range=(-128, 255),
    zero_points=True,
    product_bits=62,
    multiplier="channel",
    multiplier_bits=(-16,),
    shift="channel",
    shift_range=(0, 40),
    rounding="any",
    output_types=EIGHT,
    pad_value="any",
    modes=("shift", "mulshift31", "tflite", "f32"),
)
"""What networks can ask for, whatever an engine has: to see that the rest is refused."""
PLAIN = Contract(ops=("plain",), input_types=(DType.INT8,), multiplier_bits=())
"""The arithmetic every accelerator has, for engines that state no contract."""

LAYERS = 80
"""Layers that should be accepted, all patterns together."""
LEAST = 3
"""Layers that should be accepted of every pattern."""
TRIES = 6
"""Layers drawn for each that should be accepted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A drawn layer.

    Attributes:
        number: Its place among all.
        pattern: The pattern it was drawn for.
        graph: The layer as a network.
        layer: The layer as the pattern takes it; None if it does not.
        reason: Why the pattern turned it down; empty if it did not.
        error: What went wrong when the pattern was asked.
        odd: Answers of constraints that are neither None nor a reason.
    """

    number: int
    pattern: Pattern
    graph: Graph
    layer: Layer | None = None
    reason: str = ""
    error: HtvmError | None = None
    odd: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"{self.pattern.name} {self.number}"

    def fault(self, what: str, where: str) -> Fault:
        """Something wrong with it, and in which part of its engine to look."""
        return Fault(
            subject=self.pattern.name, what=what, where=f"{where} of {self.pattern.engine}"
        )


def judge(graph: Graph, pattern: Pattern, hardware: Hardware, number: int) -> Case:
    """Ask a pattern about a whole network."""
    odd: list[str] = []
    heard = replace(pattern, constraints=tuple(_heard(c, odd) for c in pattern.constraints))
    try:
        found = match_patterns(graph, (heard,), hardware)
    except NoAnswerError:
        raise
    except HtvmError as error:
        return Case(number=number, pattern=pattern, graph=graph, error=error)
    whole = [layer for layer in found.layers if len(layer.nodes) == len(graph.nodes)]
    refused = [item for item in found.rejections if len(item.nodes) == len(graph.nodes)]
    return Case(
        number=number,
        pattern=pattern,
        graph=graph,
        layer=whole[0] if whole else None,
        reason=refused[0].reason if refused and not whole else "",
        odd=tuple(dict.fromkeys(odd)),
    )


def _heard(constraint: Constraint, odd: list[str]) -> Constraint:
    """The constraint, with a note made of answers that are no answers."""

    def check(layer: Layer, hardware: Hardware) -> str | None:
        answer: object = constraint.check(layer, hardware)
        if answer is not None and not (isinstance(answer, str) and answer.strip()):
            odd.append(f"constraint {constraint.text!r} answers {answer!r}")
        return answer if isinstance(answer, str | None) else str(answer)

    return replace(constraint, check=check)


def cases_of(pattern: Pattern, hardware: Hardware, wanted: int, start: int) -> list[Case]:
    """Draw layers until enough were accepted.

    Args:
        pattern: The pattern.
        hardware: The chip.
        wanted: Layers that should be accepted.
        start: Number of the first.
    """
    found: list[Case] = []
    deck = Deck(start)
    accepted = 0
    for contract in _contracts(pattern, hardware, wanted * TRIES):
        if accepted >= wanted:
            break
        graph = draw_graph(pattern.root, deck, contract)
        if graph is None:
            continue
        number = start + len(found)
        named = prefixed(graph, f"{identifier(pattern.name)}{number}_")
        case = judge(named, pattern, hardware, number)
        accepted += case.layer is not None
        found.append(case)
    return found


def _contracts(pattern: Pattern, hardware: Hardware, count: int) -> Iterator[Contract]:
    """What to draw from, in turn: mostly what the engine states, now and then anything."""
    stated = contract_of(pattern, hardware.engines.get(pattern.engine))
    for index in range(count):
        yield ANYTHING if index % 4 == 3 else stated or PLAIN


def contract_of(pattern: Pattern, engine: Engine | None) -> Contract | None:
    """What an engine states for layers of a pattern; None if it states nothing."""
    try:
        found = kinds(pattern.root)
    except Unsuited:
        found = frozenset()
    names = [name for kind, names in _KINDS if kind in found for name in names]
    contracts: Sequence[Contract] = engine.contracts if engine else ()
    for contract in contracts:
        if set(names) & set(contract.ops):
            return contract
    return contracts[0] if contracts and not names else None


_KINDS: tuple[tuple[type[ops.Op], tuple[str, ...]], ...] = (
    (ops.Conv2d, ("conv2d", "depthwise")),
    (ops.Dense, ("dense",)),
    (ops.MatMul, ("matmul",)),
    (ops.SumPool2d, ("pool",)),
    (ops.AvgPool2d, ("pool",)),
    (ops.MaxPool2d, ("pool",)),
    (ops.ReduceSum, ("pool",)),
    (ops.Elementwise, ("add",)),
)


def prefixed(graph: Graph, prefix: str) -> Graph:
    """The network with every name behind a prefix, so that several fit into one."""
    return replace(
        graph,
        inputs=tuple(prefix + name for name in graph.inputs),
        outputs=tuple(prefix + name for name in graph.outputs),
        nodes=tuple(
            replace(
                node,
                name=prefix + node.name,
                inputs=tuple(prefix + name for name in node.inputs),
                output=prefix + node.output,
            )
            for node in graph.nodes
        ),
        tensors={
            prefix + name: replace(tensor, name=prefix + name)
            for name, tensor in graph.tensors.items()
        },
    )
