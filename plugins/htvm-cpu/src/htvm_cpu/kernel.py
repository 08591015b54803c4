"""What a kernel is: one way to run a kind of layer, in three pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from htvm.api import Constant, Cost, Layer, LayerCode, Node, Offers, Tiling
from htvm_cpu.helpers import reversals
from htvm_cpu.host import Host
from htvm_cpu.place import Indices
from htvm_cpu.pointwise import evaluate
from htvm_cpu.snippet import Value, Writer
from htvm_cpu.text import pruned


@dataclass(frozen=True, kw_only=True)
class Generated:
    """A layer's C and the arrays it reads, made together so that they cannot drift apart."""

    code: LayerCode
    constants: tuple[Constant, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """One way to run a kind of layer.

    Attributes:
        tilings: Every choice of layouts worth considering, costs still to be filled in.
        cost: Cycles of one of them.
        generate: The C and the packed constants of one of them.
    """

    tilings: Callable[[Layer, Offers, Host], tuple[Tiling, ...]]
    cost: Callable[[Layer, Tiling, Host], Cost]
    generate: Callable[[Layer, Tiling, Host], Generated]


UNPRICED = Cost(total=0, compute=0)
"""Stands in a tiling until the cost model has been asked."""


def tail_nodes(layer: Layer) -> tuple[Node, ...]:
    """The element-wise nodes behind the layer's principal one, which is the first."""
    return layer.nodes[1:]


def finish(layer: Layer, value: Value, indices: Indices, writer: Writer) -> Value:
    """Run an element of the principal node's output through the rest of the layer."""
    nodes = tail_nodes(layer)
    return evaluate(nodes, layer.tensors, {layer.nodes[0].output: value}, indices, writer)


def generated(
    body: list[str],
    writer: Writer,
    *,
    constants: tuple[Constant, ...] = (),
    size_bytes: int,
    comment: str = "",
) -> Generated:
    """Put a body and what its statements need together."""
    return Generated(
        code=LayerCode(
            body="\n".join(pruned(body)),
            helpers=(*writer.helpers, *reversals(body)),
            includes=headers((*body, *writer.helpers)),
            comment=comment,
            size_bytes=size_bytes,
        ),
        constants=(*constants, *writer.constants),
    )


_HEADERS = {"string.h": ("memcpy(", "memset("), "math.h": ("rintf(", "roundf(", "INFINITY", "NAN")}


def headers(texts: Iterable[str]) -> tuple[str, ...]:
    """Standard headers that C text needs."""
    whole = "\n".join(texts)
    return tuple(name for name, marks in _HEADERS.items() if any(mark in whole for mark in marks))
