"""The result of matching: every layer the target could run, and why others were turned down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from htvm.ir.graph import Graph
from htvm.target.layer import Layer
from htvm.target.pattern import Rejection


@dataclass(frozen=True, kw_only=True, eq=False)
class Matches:
    """Everything that fits, overlaps included.

    Attributes:
        graph: The network.
        layers: Candidate layers. Those that share their principal node share their name.
        rejections: Patterns that fitted by their ops and were turned down by a constraint.
        names: Readable unique name of every node: node name -> C identifier.
    """

    graph: Graph
    layers: tuple[Layer, ...]
    rejections: tuple[Rejection, ...]
    names: Mapping[str, str]
