"""The rewriting stage: brings layers to the arithmetic of the target's engines, exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node
from htvm.partition.stage import match
from htvm.plugins.session import Session
from htvm.rewrite.appraise import Appraiser, Gain, cycles, together
from htvm.rewrite.edits import Change, Rewritten, distinct
from htvm.rewrite.movement import requantise_early
from htvm.rewrite.products import kind_of, product_changes
from htvm.rewrite.ranges import with_bounds
from htvm.rewrite.rounding import Misfit
from htvm.rewrite.storage import OTHER, stored_as
from htvm.rewrite.sums import sum_at, sum_changes
from htvm.target.contract import Contract
from htvm.target.hardware import Hardware

HOST = "cpu"
_BISECTIONS = 6
"""Steps towards the most bytes that the main memory has room for."""


def rewrite(graph: Graph, session: Session) -> Rewritten:
    """The same network with layers in the arithmetic of engines that run them faster.

    Every tensor of the result that has a name of the original holds the same elements. A target
    without accelerators, or without contracts, gets the network nearly as it is.

    Args:
        graph: The network.
        session: The target.
    """
    graph = requantise_early(graph)
    offers = _offers(session.hardware)
    if not offers:
        return Rewritten(graph=graph)
    found = _rewritten(graph, offers, session)
    wanted = _storage(graph, offers)
    if wanted is None:
        return found
    other = _rewritten(stored_as(graph, wanted), offers, session)
    return min((found, other), key=lambda way: cycles(way.graph, session))


def _storage(graph: Graph, offers: Mapping[str, tuple[Contract, ...]]) -> DType | None:
    """The 8-bit type engines want the operands of products in, if they have the other."""
    read = {
        graph.tensors[node.inputs[0]].dtype for node in graph.nodes if kind_of(graph, node) != ""
    }
    for contracts in offers.values():
        for contract in contracts:
            for dtype in read:
                other = OTHER.get(dtype)
                if dtype not in contract.input_types and other in contract.input_types:
                    return other
    return None


def _rewritten(
    graph: Graph, offers: Mapping[str, tuple[Contract, ...]], session: Session
) -> Rewritten:
    graph = with_bounds(graph)
    appraiser = Appraiser(graph, session)
    found = _Findings()
    served = _served(graph, session)
    for node in graph.nodes:
        found.add(_best(graph, node, offers, served, appraiser))
    named = distinct(gain.change for gain in found.gains)
    gains = [replace(gain, change=change) for gain, change in zip(found.gains, named, strict=True)]
    gains.sort(key=lambda gain: gain.density, reverse=True)
    return _apply(graph, gains, found.refusals, appraiser)


@dataclass(kw_only=True, eq=False)
class _Findings:
    """What is worth doing, and what cannot be done."""

    gains: list[Gain] = field(default_factory=list)
    refusals: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, other: _Findings) -> None:
        """Take over what another found."""
        self.gains += other.gains
        self.refusals |= other.refusals


def _offers(hardware: Hardware) -> Mapping[str, tuple[Contract, ...]]:
    """Contracts of the engines that do not simply do whatever the network says."""
    return {
        name: strict
        for name, engine in hardware.engines.items()
        if name != HOST and (strict := tuple(c for c in engine.contracts if not c.obliging))
    }


def _served(graph: Graph, session: Session) -> frozenset[tuple[str, str]]:
    """Nodes that engines take, requantisation included, as they are: engine and node."""
    return frozenset(
        (layer.engine, node.name)
        for layer in match(graph, session).layers
        if len(layer.nodes) > 1 and layer.engine != HOST
        for node in layer.nodes
    )


def _best(
    graph: Graph,
    node: Node,
    offers: Mapping[str, tuple[Contract, ...]],
    served: frozenset[tuple[str, str]],
    appraiser: Appraiser,
) -> _Findings:
    """The change of the layer around a node that saves most, or why there is none."""
    found = _Findings()
    best: Gain | None = None
    for engine, contracts in offers.items():
        if (engine, node.name) in served:
            continue
        for contract in contracts:
            for proposal in _proposals(graph, node, contract):
                weighed = (
                    appraiser.gain(proposal, engine) if isinstance(proposal, Change) else proposal
                )
                if isinstance(weighed, Misfit):
                    found.refusals[node.name, engine] = weighed.text
                elif isinstance(weighed, Gain) and (best is None or weighed.cycles > best.cycles):
                    best = weighed
    if best is not None:
        found.gains.append(best)
        found.refusals.pop((node.name, best.engine), None)
    return found


def _proposals(graph: Graph, node: Node, contract: Contract) -> Iterator[Change | Misfit]:
    if kind_of(graph, node) in contract.ops:
        yield from product_changes(graph, node, contract)
    if isinstance(node.op, ops.Elementwise) and "add" in contract.ops:
        found = sum_at(graph, node)
        if found is not None:
            yield from sum_changes(graph, found, contract)


def _apply(
    graph: Graph, gains: list[Gain], refusals: Mapping[tuple[str, str], str], appraiser: Appraiser
) -> Rewritten:
    """All changes, or, where the main memory does not hold their constants, the densest."""
    kept = gains if not gains or appraiser.holds(gains) else _densest(gains, appraiser)
    left_out = {
        (name, gain.engine): f"{gain.change.text}: that would save {gain.cycles:,} cycles, but "
        f"main memory has no room for {gain.constant_bytes:,} more bytes of constants"
        for gain in gains
        if gain not in kept
        for name in gain.change.removed
    }
    return Rewritten(
        graph=with_bounds(together(graph, kept)),
        notes={node.name: (gain.change.text,) for gain in kept for node in gain.change.nodes},
        refusals={**refusals, **left_out},
        changes=len(kept),
    )


def _densest(gains: list[Gain], appraiser: Appraiser) -> list[Gain]:
    """Changes that save most for a byte, as many as the main memory has room for."""
    best: list[Gain] = []
    low, high = 0, sum(max(gain.constant_bytes, 0) for gain in gains)
    for _ in range(_BISECTIONS):
        room = (low + high) // 2
        tried = _within(gains, room)
        if appraiser.holds(tried):
            best, low = tried, room
        else:
            high = room
    return best


def _within(gains: list[Gain], room: int) -> list[Gain]:
    chosen = []
    for gain in gains:
        if gain.constant_bytes <= room:
            chosen.append(gain)
            room -= max(gain.constant_bytes, 0)
    return chosen
