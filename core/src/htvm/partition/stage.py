"""The matching stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from htvm.errors import HtvmError, PluginError
from htvm.ir.graph import Graph, Node
from htvm.partition.layers import Chains, build_layer, leaking
from htvm.partition.matches import Matches
from htvm.partition.names import node_names
from htvm.partition.templates import Found, match_template
from htvm.plugins.session import Session
from htvm.target.hardware import Hardware
from htvm.target.layer import Layer
from htvm.target.pattern import Constraint, Pattern, Rejection


def match(graph: Graph, session: Session) -> Matches:
    """Find every place where a pattern fits, overlaps included.

    Raises:
        PluginError: E614, a constraint of a pattern failed to answer.
    """
    return match_patterns(graph, session.patterns(), session.hardware)


def match_patterns(graph: Graph, patterns: Iterable[Pattern], hardware: Hardware) -> Matches:
    """As :func:`match`, for some patterns only."""
    names = node_names(graph)
    chains = Chains.of(graph)
    layers: list[Layer] = []
    rejections: list[Rejection] = []
    for pattern in patterns:
        for nodes, ways in _fits(chains, pattern):
            candidates = [build_layer(graph, pattern, nodes, found, names) for found in ways]
            reasons = [_why_not(graph, pattern, layer, hardware) for layer in candidates]
            if None in reasons:
                layers.append(candidates[reasons.index(None)])
            else:
                rejections.append(_rejection(pattern, nodes, reasons[0] or ""))
    return Matches(graph=graph, layers=tuple(layers), rejections=tuple(rejections), names=names)


def _fits(chains: Chains, pattern: Pattern) -> Iterator[tuple[tuple[Node, ...], list[Found]]]:
    """Each set of nodes the pattern fits, with every way it does."""
    for root in chains.graph.nodes:
        ways: dict[frozenset[str], list[Found]] = {}
        for found in match_template(chains.graph, pattern.root, root):
            ways.setdefault(found.nodes, []).append(found)
        for names, founds in ways.items():
            yield chains.ordered(names), founds


def _rejection(pattern: Pattern, nodes: tuple[Node, ...], reason: str) -> Rejection:
    return Rejection(
        pattern=pattern.name,
        engine=pattern.engine,
        nodes=tuple(node.name for node in nodes),
        reason=reason,
    )


def _why_not(graph: Graph, pattern: Pattern, layer: Layer, hardware: Hardware) -> str | None:
    shared = leaking(graph, layer.nodes)
    if shared is not None:
        return f"needs inner tensors to itself, but {shared!r} is also read outside"
    for constraint in pattern.constraints:
        seen = _check(pattern, constraint, layer, hardware)
        if seen is not None:
            return f"{constraint.text}: {seen}"
    return None


def _check(
    pattern: Pattern, constraint: Constraint, layer: Layer, hardware: Hardware
) -> str | None:
    try:
        return constraint.check(layer, hardware)
    except HtvmError:
        raise
    except Exception as error:
        raise PluginError(
            f"pattern {pattern.name!r} of {pattern.engine} failed on layer {layer.name!r}",
            code="E614",
            seen=f"{constraint.text}: {type(error).__name__}: {error}",
            hint="report this to the plug-in's author",
        ) from error
