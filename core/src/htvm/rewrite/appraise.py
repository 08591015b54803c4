"""What a change is worth on a target, by dispatching the nodes it is about by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from htvm.dispatch.plan import Dispatch
from htvm.dispatch.search import constant_bytes
from htvm.dispatch.stage import dispatch
from htvm.errors import DoesNotFitError, UnsupportedModelError
from htvm.ir.graph import Graph
from htvm.memory.estimate import estimate_bytes
from htvm.partition.matches import Matches
from htvm.partition.stage import match
from htvm.plugins.session import Session
from htvm.rewrite.edits import Change, changed, piece
from htvm.rewrite.rounding import Misfit

_STEP_BYTES = 512
"""Code and stack of a step, on the high side."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Gain:
    """What a change brings.

    Attributes:
        change: It.
        engine: The engine that then takes the layer.
        cycles: Saved, by the target's cost models, layout conversions at both ends included.
        constant_bytes: Main memory more that packed constants take; negative for less.
    """

    change: Change
    engine: str
    cycles: int
    constant_bytes: int

    @property
    def density(self) -> float:
        """Cycles saved for a byte."""
        return self.cycles / max(self.constant_bytes, 1)


class Appraiser:
    """Weighs changes of one graph on one target."""

    def __init__(self, graph: Graph, session: Session) -> None:
        self._graph = graph
        self._session = session
        self._room = session.hardware.main.size_bytes
        self._before: dict[frozenset[str], Dispatch | None] = {}

    def gain(self, change: Change, engine: str) -> Gain | Misfit:
        """What a change that is to make an engine take the nodes brings, or why nothing."""
        matches = match(
            piece(changed(self._graph, change), [node.name for node in change.nodes]),
            self._session,
        )
        after = self._plan(matches)
        if after is None or all(step.engine != engine for step in after.layers):
            return Misfit(text=f"{change.text}; {_turned_down(matches, change.main, engine)}")
        if change.removed not in self._before:
            self._before[change.removed] = self._plan(
                match(piece(self._graph, change.removed), self._session)
            )
        before = self._before[change.removed]
        more = _constants(after)
        if before is None:
            return Gain(change=change, engine=engine, cycles=2**60, constant_bytes=more)
        saved = before.cycles - after.cycles
        if saved <= 0:
            return Misfit(text=f"{change.text}, but that takes {-saved:,} cycles more")
        more -= _constants(before)
        return Gain(change=change, engine=engine, cycles=saved, constant_bytes=more)

    def holds(self, gains: Sequence[Gain]) -> bool:
        """Whether the fastest plan of the network with these changes fits the main memory.

        A slower plan that fits does not count: it may give layers with large constants back to the
        host, which would then compute twice what it computed once.
        """
        graph = together(self._graph, gains)
        if _at_most(graph) + sum(gain.constant_bytes for gain in gains) <= self._room:
            return True
        try:
            plan = dispatch(match(graph, self._session), self._session, fit=False)
        except UnsupportedModelError:
            return False
        return estimate_bytes(plan, self._session.hardware) <= self._room

    def _plan(self, matches: Matches) -> Dispatch | None:
        try:
            return dispatch(matches, self._session, fit=False)
        except (UnsupportedModelError, DoesNotFitError):
            return None


def _turned_down(matches: Matches, node: str, engine: str) -> str:
    """Why an engine does not take a node, as the pattern that takes in most around it tells."""
    refused = [
        rejection
        for rejection in matches.rejections
        if rejection.engine == engine and node in rejection.nodes
    ]
    if not refused:
        return f"{engine} would be slower"
    return max(refused, key=lambda rejection: len(rejection.nodes)).reason


def _constants(plan: Dispatch) -> int:
    return sum(constant_bytes(step.layer, step.tiling) for step in plan.layers)


def cycles(graph: Graph, session: Session) -> float:
    """Cycles of a whole network; infinite if some of it has no engine."""
    try:
        return dispatch(match(graph, session), session, fit=False).cycles
    except UnsupportedModelError:
        return inf


def together(graph: Graph, gains: Sequence[Gain]) -> Graph:
    """The graph after several changes."""
    for gain in gains:
        graph = changed(graph, gain.change)
    return graph


def _at_most(graph: Graph) -> int:
    """Bytes of main memory on the high side: what is alive anywhere, with ample padding."""
    last = {name: at for at, node in enumerate(graph.nodes) for name in node.inputs}
    alive: dict[str, int] = {}
    peak = 0
    for at, node in enumerate(graph.nodes):
        alive[node.output] = graph.tensors[node.output].elements
        peak = max(peak, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last.get(name, -1) > at}
    constants = sum(tensor.size_bytes for tensor in graph.tensors.values() if tensor.is_constant)
    ends = sum(graph.tensors[name].size_bytes for name in (*graph.inputs, *graph.outputs))
    return 3 * peak + 2 * constants + ends + _STEP_BYTES * len(graph.nodes)
