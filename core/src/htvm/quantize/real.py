"""Layers that keep the source's real numbers, and what follows from that for their neighbours.

A layer left in real numbers reads and gives real numbers. So do the ops without weights whose
operands are all real, and a run of such layers needs no way there and back in between.
"""

from __future__ import annotations

from collections.abc import Iterator

from htvm.ir.graph import Node
from htvm.quantize.network import FloatNetwork, Linear, Sum


def sums(network: FloatNetwork) -> tuple[str, ...]:
    """Names of the layers that quantisation can harm, in execution order."""
    return tuple(layer.name for layer in network.layers if isinstance(layer.op, Sum))


def real_layers(network: FloatNetwork, exempt: frozenset[str]) -> frozenset[str]:
    """The exempt layers and those that compute with real numbers because of them.

    Args:
        network: The network.
        exempt: Names of layers that must keep their real numbers.
    """
    held = {name for name in network.inputs if _read_only_by(network, name, exempt)}
    found = set()
    for layer in network.layers:
        follows = not isinstance(layer.op, Linear) and held.issuperset(layer.inputs)
        if layer.name in exempt or follows:
            found.add(layer.name)
            held.add(layer.output)
    return frozenset(found)


def real_tensors(network: FloatNetwork, real: frozenset[str]) -> frozenset[str]:
    """The tensors that hold real numbers: inputs no other layer reads, results of real layers."""
    inputs = {name for name in network.inputs if real and _read_only_by(network, name, real)}
    return frozenset(inputs | {layer.output for layer in network.layers if layer.name in real})


def _read_only_by(network: FloatNetwork, name: str, layers: frozenset[str]) -> bool:
    return all(layer.name in layers for layer in _readers(network, name))


def _readers(network: FloatNetwork, name: str) -> Iterator[Node]:
    """The sums that read a tensor, through ops that move or pick its elements."""
    for layer in network.consumers[name]:
        if isinstance(layer.op, Sum):
            yield layer
        else:
            yield from _readers(network, layer.output)
