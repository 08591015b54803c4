"""Where the signal is lost on its way through a network."""

from __future__ import annotations

from collections.abc import Mapping

from htvm.fidelity.result import MOST_DB
from htvm.ir.graph import Graph


def losses(graph: Graph, sqnr_db: Mapping[str, float | None]) -> dict[str, float]:
    """By how much each tensor is worse than the worst of those it is computed from, in dB.

    Ratios count as at most 100 dB. A tensor nobody measured is as good as the worst it is computed
    from; an input nobody measured is without error.

    Args:
        graph: The network.
        sqnr_db: Signal to error of tensors and inputs that were measured; None without any error.
    """
    level: dict[str, float] = {}
    found = {}
    for name in graph.inputs:
        level[name] = _capped(sqnr_db.get(name))
    for node in graph.nodes:
        before = min((level[name] for name in node.inputs if name in level), default=MOST_DB)
        if node.output in sqnr_db:
            level[node.output] = _capped(sqnr_db[node.output])
            found[node.output] = max(0.0, before - level[node.output])
        else:
            level[node.output] = before
    return found


def _capped(ratio: float | None) -> float:
    return MOST_DB if ratio is None else min(MOST_DB, ratio)
