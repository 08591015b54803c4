"""The dispatch stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from htvm.dispatch.alternatives import refusals
from htvm.dispatch.assemble import Assembly
from htvm.dispatch.candidates import Candidate, candidates
from htvm.dispatch.fitting import fastest_that_fits
from htvm.dispatch.plan import Dispatch
from htvm.dispatch.search import Search, Stuck
from htvm.dispatch.tables import Layouts
from htvm.dispatch.views import is_view
from htvm.errors import UnsupportedModelError, UsageError
from htvm.ir.graph import Graph, Node
from htvm.partition.matches import Matches
from htvm.plugins.session import Session
from htvm.suggest import choices, did_you_mean

HOST = "cpu"


def dispatch(
    matches: Matches,
    session: Session,
    *,
    pins: Mapping[str, str] | None = None,
    strict: bool = False,
    fit: bool = True,
) -> Dispatch:
    """Cover every node by one layer so that the network, conversions included, runs fastest.

    When the fastest way does not fit the main memory, bytes of constants get a price in cycles,
    the lowest at which it fits, so that slower tilings with smaller constants come in where they
    cost least.

    Args:
        matches: The candidate layers.
        session: The target.
        pins: Layer or source node name -> engine that must run it.
        strict: Whether to leave out the host.
        fit: Whether to look for a slower plan when the fastest does not fit.

    Raises:
        UsageError: E143 a pin names no layer, E144 it names no engine.
        UnsupportedModelError: E250, a node no engine takes (under these pins).
    """
    found = candidates(matches, session)
    allowed = _pinned(matches, found, pins or {}, tuple(session.hardware.engines))
    if strict:
        allowed = [item for item in allowed if item.layer.engine != HOST]
    lost = _first_uncovered(matches.graph, allowed)
    if lost is not None:
        raise _uncovered(matches, found, lost, pins or {}, strict=strict)
    tables = {
        name: Layouts(tensor=tensor, session=session)
        for name, tensor in matches.graph.tensors.items()
        if not tensor.is_constant
    }

    def plan(byte_price: float) -> Dispatch:
        path = Search(matches.graph, allowed, tables, byte_price).solve()
        if isinstance(path, Stuck):
            raise _uncovered(matches, found, path.node, pins or {}, strict=strict)
        return Assembly(matches, found, tables).plan(path.all_actions())

    return fastest_that_fits(plan, session.hardware) if fit else plan(0.0)


def _first_uncovered(graph: Graph, allowed: Sequence[Candidate]) -> Node | None:
    covered = {name for item in allowed if item.tilings for name in _nodes(item)}
    lost = (node for node in graph.nodes if node.name not in covered and not is_view(node.op))
    return next(lost, None)


def _pinned(
    matches: Matches,
    found: Sequence[Candidate],
    pins: Mapping[str, str],
    engines: tuple[str, ...],
) -> list[Candidate]:
    allowed = list(found)
    for name, engine in pins.items():
        node = _pinned_node(matches, name)
        if engine not in engines:
            raise _unknown("E144", f"pin {name}={engine} names no engine", engine, engines)
        allowed = [
            item for item in allowed if item.layer.engine == engine or node not in _nodes(item)
        ]
    return allowed


def _nodes(candidate: Candidate) -> set[str]:
    return {node.name for node in candidate.layer.nodes}


def _pinned_node(matches: Matches, name: str) -> str:
    """The node a pin means: by its readable name, or by a name of the source network."""
    for node in matches.graph.nodes:
        if matches.names[node.name] == name:
            return node.name
    for node in matches.graph.nodes:
        if name in (node.name, *node.source):
            return node.name
    layers = tuple(dict.fromkeys(layer.name for layer in matches.layers))
    raise _unknown("E143", f"a pin names no layer: {name!r}", name, layers)


def _unknown(code: str, message: str, seen: str, known: tuple[str, ...]) -> UsageError:
    hint = did_you_mean(seen, known) or "`htvm explain` lists layers and engines"
    return UsageError(message, code=code, seen=seen, accepted=choices(seen, known), hint=hint)


def _uncovered(
    matches: Matches,
    found: Sequence[Candidate],
    node: Node,
    pins: Mapping[str, str],
    *,
    strict: bool,
) -> UnsupportedModelError:
    name = matches.names[node.name]
    reasons = [
        f"{engine} {pattern}: {reason}" for engine, pattern, reason in refusals(matches, node.name)
    ]
    reasons += [
        f"{item.layer.engine} {item.layer.pattern}: {item.reason}"
        for item in found
        if item.reason and node.name in _nodes(item)
    ]
    able = sorted(
        {item.layer.engine for item in found if item.tilings and node.name in _nodes(item)}
    )
    where = f" ({', '.join(node.source)})" if node.source else ""
    return UnsupportedModelError(
        f"no engine takes {name}{where}, op {node.op.kind}",
        code="E250",
        seen="; ".join((_shapes(matches.graph, node), *dict.fromkeys(reasons))),
        accepted=f"engines that could, were they allowed: {', '.join(able)}" if able else "",
        hint=_hint(able, pins, strict=strict),
    )


def _hint(able: list[str], pins: Mapping[str, str], *, strict: bool) -> str:
    if able and strict and HOST in able:
        return "leave out --strict to let the host run it"
    if able and pins:
        return "leave out the --pin that excludes them"
    return "see the target's supported ops: htvm target docs"


def _shapes(graph: Graph, node: Node) -> str:
    tensors = [graph.tensors[name] for name in (*node.inputs, node.output)]
    *inputs, output = [f"{tensor.dtype}{list(tensor.shape)}" for tensor in tensors]
    return f"{node.op.kind} of {', '.join(inputs)} to {output}"
