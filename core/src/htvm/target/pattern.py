"""Patterns: which nodes an engine can take together, and the reasons when it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from htvm.ir.graph import Graph
from htvm.ir.ops import Op
from htvm.target.hardware import Hardware
from htvm.target.layer import Layer


@dataclass(frozen=True, kw_only=True, eq=False)
class Template:
    """A node to find, matched from its output back to its inputs.

    Attributes:
        ops: The op classes accepted.
        inputs: One entry per input, in the op's order: a template for the node that computes it,
            ``COMPUTED`` for any computed tensor, ``CONSTANT`` for a constant. Missing trailing
            entries accept absent or constant inputs.
        capture: Name under which the node appears in :attr:`Layer.captures`.
        commutative: Whether two inputs may also match in the other order.
        optional: Whether the node may be absent; its first input then stands in its place.
    """

    ops: tuple[type[Op], ...]
    inputs: tuple[Template | str, ...] = ()
    capture: str = ""
    commutative: bool = False
    optional: bool = False


COMPUTED = "computed"
CONSTANT = "constant"
ANY = "any"


@dataclass(frozen=True, kw_only=True, eq=False)
class Constraint:
    """One thing a layer must fulfil: documentation, check and reason at once.

    Attributes:
        text: What is accepted, as a full clause: ``"stride is 1 or 2, the same both ways"``.
        check: Given the layer and the hardware, None when fulfilled, else what was seen:
            ``"stride is (2, 1)"``.
    """

    text: str
    check: Callable[[Layer, Hardware], str | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pattern:
    """A pattern of one engine.

    Attributes:
        name: Unique in its target: ``"conv2d"``.
        engine: Engine that runs what matches.
        root: Template of the last node.
        constraints: All must hold; the first that does not is the reason given.
        description: One line for the supported-ops page.
        accepts: Gives networks of one layer that the pattern takes, for ``htvm target test``, which
            otherwise draws them from the template.
        rejects: Gives networks of one layer that it turns down.
    """

    name: str
    engine: str
    root: Template
    constraints: tuple[Constraint, ...] = ()
    description: str = ""
    accepts: Callable[[], Iterable[Graph]] | None = None
    rejects: Callable[[], Iterable[Graph]] | None = None


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Why a pattern did not take nodes whose ops it knows.

    Attributes:
        pattern: Name of the pattern.
        engine: Its engine.
        nodes: Names of the nodes.
        reason: The constraint and what was seen.
    """

    pattern: str
    engine: str
    nodes: tuple[str, ...]
    reason: str
