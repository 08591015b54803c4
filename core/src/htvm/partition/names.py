"""Readable, unique C identifiers for nodes, made from the source network's names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from htvm.ir.graph import Graph, Node

LONGEST = 48
"""Characters kept of a source's name."""


def identifier(text: str, *, fallback: str = "layer") -> str:
    """``text`` as the letters, digits and single underscores of a C identifier.

    The result begins with a letter, ends in no underscore and has at most ``LONGEST`` characters.
    It may still be a keyword: callers add a prefix.
    """
    clean = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:LONGEST].strip("_")
    if not clean:
        return fallback
    return clean if clean[0].isalpha() else f"{fallback}_{clean}"


def shortened(text: str, longest: int) -> str:
    """``text`` with its middle left out where it has more than ``longest`` characters.

    The end of a name tells most, so it keeps the larger part.
    """
    if len(text) <= longest:
        return text
    front = (longest - 2) // 3
    return f"{text[:front]}..{text[front + 2 - longest :]}"


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """The names, those met again numbered: ``a, a, b`` becomes ``a, a_2, b``.

    Names that differ only in case count as equal, because they also become file names.
    """
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 1
        while candidate.lower() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.lower())
        result.append(candidate)
    return tuple(result)


def node_names(graph: Graph) -> Mapping[str, str]:
    """A readable unique identifier for each node of the graph, by the node's name."""
    wanted = [_wanted(node) for node in graph.nodes]
    return dict(zip((node.name for node in graph.nodes), unique(wanted), strict=True))


def _wanted(node: Node) -> str:
    """A name not yet unique: the source node's that the node is called after, if it is one's.

    TFLite joins the names of what it fused by semicolons; the last one tells most, unless it is
    that of a variable.
    """
    known = [name for name in node.source if node.name.startswith(name)]
    text = max(known, key=len, default=node.name)
    parts = [part for part in text.split(";") if part and "ReadVariableOp" not in part]
    return identifier(parts[-1] if parts else text, fallback=node.op.kind)
