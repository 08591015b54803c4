"""Asks every engine how it could run its layers, and which layouts that brings into play."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from htvm.dispatch.views import backward, forward, is_view
from htvm.errors import DoesNotFitError
from htvm.ir.graph import Graph, Node
from htvm.ir.layout import Layout, row_major
from htvm.partition.matches import Matches
from htvm.plugins.session import Session
from htvm.target.layer import Layer, Offers, Tiling

MAX_LAYOUTS = 6
"""Layouts offered for one tensor; an engine with several inputs multiplies them."""
ROUNDS = 4
"""Rounds of offers; two settle every network whose layouts do not depend on each other."""

Offered = Mapping[str, tuple[Layout, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A layer with its tilings.

    Attributes:
        layer: The layer.
        tilings: For each choice of layouts the cheapest, and the cheapest of those with fewer
            bytes of constants; empty if it cannot run.
        reason: Why it cannot run.
    """

    layer: Layer
    tilings: tuple[Tiling, ...]
    reason: str = ""

    @property
    def cycles(self) -> int | None:
        """Cost of the cheapest tiling by itself."""
        return min((tiling.cost.total for tiling in self.tilings), default=None)


def candidates(matches: Matches, session: Session) -> tuple[Candidate, ...]:
    """Every candidate layer with its tilings.

    A neighbour's layout is offered to engines that can adapt to it; their answers may bring in
    further layouts, so the question is repeated until nothing changes, at most ``ROUNDS`` times.
    """
    offered: Offered = {
        name: (row_major(tensor.shape),) for name, tensor in matches.graph.tensors.items()
    }
    asked: dict[Layer, tuple[Offers, Candidate]] = {}
    for _ in range(ROUNDS):
        asked = {layer: _ask(layer, offered, session, asked) for layer in matches.layers}
        grown = _grown(matches.graph, offered, [candidate for _, candidate in asked.values()])
        if grown == offered:
            break
        offered = grown
    return tuple(candidate for _, candidate in asked.values())


def _ask(
    layer: Layer,
    offered: Offered,
    session: Session,
    before: Mapping[Layer, tuple[Offers, Candidate]],
) -> tuple[Offers, Candidate]:
    offers = Offers(
        inputs=tuple(offered[tensor.name] for tensor in layer.inputs),
        output=offered[layer.output.name],
    )
    if layer in before and before[layer][0] == offers:
        return before[layer]
    try:
        tilings = session.tilings(layer, offers)
    except DoesNotFitError as error:
        reason = f"{error.message}: {error.seen}" if error.seen else error.message
        return offers, Candidate(layer=layer, tilings=(), reason=reason)
    reason = "" if tilings else "no tiling fits its memories"
    return offers, Candidate(layer=layer, tilings=_cheapest(tilings), reason=reason)


def _cheapest(tilings: tuple[Tiling, ...]) -> tuple[Tiling, ...]:
    """Those that no other of the same layouts beats in both cycles and bytes of constants."""
    best: dict[tuple[tuple[Layout, ...], Layout], list[Tiling]] = {}
    for tiling in sorted(tilings, key=lambda item: (item.cost.total, item.constant_bytes)):
        rivals = best.setdefault((tiling.inputs, tiling.output), [])
        if not rivals or tiling.constant_bytes < rivals[-1].constant_bytes:
            rivals.append(tiling)
    return tuple(tiling for rivals in best.values() for tiling in rivals)


def _grown(graph: Graph, offered: Offered, answers: list[Candidate]) -> Offered:
    """The offers plus what the answers ask for and make, accelerators' layouts first."""
    found = {name: list(layouts) for name, layouts in offered.items()}
    for candidate in sorted(answers, key=lambda item: item.layer.engine == "cpu"):
        layer = candidate.layer
        for tiling in candidate.tilings:
            _add(found[layer.output.name], tiling.output)
            for tensor, layout in zip(layer.inputs, tiling.inputs, strict=True):
                _add(found[tensor.name], layout)
    views = [node for node in graph.nodes if is_view(node.op)]
    for node in views:
        _spread(graph, node, found, ahead=True)
    for node in reversed(views):
        _spread(graph, node, found, ahead=False)
    return {name: tuple(layouts) for name, layouts in found.items()}


def _spread(graph: Graph, node: Node, found: dict[str, list[Layout]], *, ahead: bool) -> None:
    before, after = graph.tensors[node.inputs[0]], graph.tensors[node.output]
    source, target = (before, after) if ahead else (after, before)
    through = forward if ahead else backward
    for layout in tuple(found[source.name]):
        seen = through(node.op, layout, before.shape, after.shape)
        if seen is not None:
            _add(found[target.name], seen)


def _add(layouts: list[Layout], layout: Layout) -> None:
    if layout not in layouts and len(layouts) < MAX_LAYOUTS:
        layouts.append(layout)
