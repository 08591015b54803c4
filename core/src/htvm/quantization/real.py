"""Layers that keep the source's real numbers, and what follows from that for their neighbours.

A layer left in real numbers reads and gives real numbers. Ops without weights join it: those whose
operands are all real, so that a run of real layers needs no way there and back in between, and
averages that only real layers read: the host computes those anyway, and rounded they are coarse.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from htvm.ir.graph import Node
from htvm.quantization.network import AvgPool, FloatNetwork, Linear, Sum


def sums(network: FloatNetwork) -> tuple[str, ...]:
    """Names of the layers that quantisation can harm, in execution order."""
    return tuple(layer.name for layer in network.layers if isinstance(layer.op, Sum))


def real_layers(
    network: FloatNetwork, exempt: frozenset[str], quantised: frozenset[str] = frozenset()
) -> frozenset[str]:
    """The exempt layers and those that compute with real numbers because of them.

    Args:
        network: The network.
        exempt: Names of layers that must keep their real numbers.
        quantised: Names of layers that must not follow.
    """
    chosen = _with_feeding(network, exempt, quantised)
    held = {name for name in network.inputs if _read_only_by(network, name, chosen)}
    found = set()
    for layer in network.layers:
        may_follow = not isinstance(layer.op, Linear) and layer.name not in quantised
        if layer.name in chosen or (may_follow and held.issuperset(layer.inputs)):
            found.add(layer.name)
            held.add(layer.output)
    return frozenset(found)


def real_tensors(network: FloatNetwork, real: frozenset[str]) -> frozenset[str]:
    """The tensors that hold real numbers: inputs no other layer reads, results of real layers."""
    inputs = {name for name in network.inputs if real and _read_only_by(network, name, real)}
    return frozenset(inputs | {layer.output for layer in network.layers if layer.name in real})


def _with_feeding(
    network: FloatNetwork, exempt: frozenset[str], quantised: frozenset[str]
) -> frozenset[str]:
    """The layers and the averages that only they read."""
    chosen = set(exempt)
    for layer in reversed(network.layers):
        may_follow = isinstance(layer.op, AvgPool) and layer.name not in quantised
        if may_follow and _read_only_by(network, layer.output, chosen):
            chosen.add(layer.name)
    return frozenset(chosen)


def _read_only_by(network: FloatNetwork, name: str, layers: Collection[str]) -> bool:
    readers = tuple(_readers(network, name))
    return bool(readers) and all(layer.name in layers for layer in readers)


def _readers(network: FloatNetwork, name: str) -> Iterator[Node]:
    """The sums that read a tensor, through ops that move or pick its elements."""
    for layer in network.consumers[name]:
        if isinstance(layer.op, Sum):
            yield layer
        else:
            yield from _readers(network, layer.output)
