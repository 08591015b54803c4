"""What a rewrite gives: layouts, a problem for the tiler, weights."""

from __future__ import annotations

from dataclasses import dataclass

from htvm.api import Layout
from htvm_diana.forms import Int8s, Int32s
from htvm_diana.problem import Problem


@dataclass(frozen=True, kw_only=True, eq=False)
class Realisation:
    """One way to run a layer, complete: packing and scheduling need nothing else of the layer.

    Attributes:
        problem: What the tiler has to tile.
        inputs: Layout of each of the layer's inputs.
        output: Layout of its output.
        weights: As the kind of job wants them: ``(K, C, fy, fx)``, ``(C, 1, fy, fx)`` for depthwise
            and diagonal jobs, ``(N, C)`` for a dense one; None for a sum.
        bias: One per output; None for a sum.
        shift: 0..31.
        relu: Whether negative results become 0.
        rewrites: What was done to the layer, for people.
        elementwise: Whether each byte of the output depends on the inputs' bytes of its place only.
    """

    problem: Problem
    inputs: tuple[Layout, ...]
    output: Layout
    weights: Int8s | None
    bias: Int32s | None
    shift: int
    relu: bool = False
    rewrites: tuple[str, ...] = ()
    elementwise: bool = False
