"""What else could have run a layer, and why the rest could not."""

from __future__ import annotations

from collections.abc import Sequence

from htvm.dispatch.candidates import Candidate
from htvm.dispatch.plan import Alternative
from htvm.partition.layers import principal
from htvm.partition.matches import Matches
from htvm.target.layer import Layer


def alternatives(
    matches: Matches, found: Sequence[Candidate], chosen: Layer
) -> tuple[Alternative, ...]:
    """Every other engine and pattern with the same principal node, best first.

    One entry for each engine and pattern: what it costs to run exactly the same nodes if it can,
    else the reason it cannot.
    """
    result: dict[tuple[str, str], Alternative] = {}
    taken = {(chosen.engine, chosen.pattern)}
    names = {node.name for node in chosen.nodes}
    for candidate in found:
        layer = candidate.layer
        key = (layer.engine, layer.pattern)
        same = {node.name for node in layer.nodes} == names
        if key not in taken and same:
            result[key] = Alternative(
                engine=layer.engine,
                pattern=layer.pattern,
                cycles=candidate.cycles,
                reason=candidate.reason,
            )
    for engine, pattern, reason in refusals(matches, principal(matches.graph, chosen.nodes).name):
        if (engine, pattern) not in taken | result.keys():
            result[engine, pattern] = Alternative(
                engine=engine, pattern=pattern, cycles=None, reason=reason
            )
    return tuple(sorted(result.values(), key=_rank))


def refusals(matches: Matches, node: str) -> tuple[tuple[str, str, str], ...]:
    """Engine, pattern and reason of each pattern that turned the node down.

    Of several refusals by one pattern, the one that took in most nodes is told.
    """
    best: dict[tuple[str, str], tuple[int, str]] = {}
    for rejection in matches.rejections:
        key = (rejection.engine, rejection.pattern)
        size = len(rejection.nodes)
        if node in rejection.nodes and size > best.get(key, (0, ""))[0]:
            best[key] = (size, rejection.reason)
    return tuple((engine, pattern, reason) for (engine, pattern), (_, reason) in best.items())


def _rank(alternative: Alternative) -> tuple[bool, int, str, str]:
    cycles = alternative.cycles
    return cycles is None, cycles or 0, alternative.engine, alternative.pattern
