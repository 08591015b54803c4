"""Cleans up an integer graph without changing what it computes."""

from __future__ import annotations

from collections.abc import Callable

from htvm.frontend.passes.biases import merge_biases
from htvm.frontend.passes.clamps import merge_clamps
from htvm.frontend.passes.floats import read_bytes
from htvm.frontend.passes.identities import drop_identities
from htvm.frontend.passes.paddings import merge_pads
from htvm.frontend.passes.rewrite import live
from htvm.frontend.passes.transposes import merge_views
from htvm.ir.graph import Graph

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    live,
    merge_views,
    drop_identities,
    read_bytes,
    merge_pads,
    merge_clamps,
    merge_biases,
)


def simplify(graph: Graph) -> Graph:
    """The same network with less in it: every output holds the same elements for every input.

    Dead nodes, identities and pairs of transposes or reshapes go; padding moves into convolutions,
    clips into requantisations, dequantisations and constants added into float products. What goes
    is told in :attr:`~htvm.ir.graph.Node.source` of a neighbour.
    """
    while True:
        result = graph
        for step in PASSES:
            result = step(result)
        if result is graph:
            return graph
        graph = result
