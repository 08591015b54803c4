"""Clean-up passes of integer graphs."""

from __future__ import annotations

from htvm.ir.graph import Graph


def simplify(graph: Graph) -> Graph:
    """Clean."""
    return graph
