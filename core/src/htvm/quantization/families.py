"""Tensors whose scales hang together.

Ops that move elements keep the scale; a sum needs equal scales on both sides and gives a power of
two times that. Each family of such tensors has one free scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from htvm.quantization.network import Add, FloatNetwork, Sum


@dataclass(frozen=True, kw_only=True)
class Family:
    """Tensors of one free scale.

    Attributes:
        members: Tensors, in the order they are computed; a member's scale is the family's times
            2 to the power of its entry in the exponents.
        adds: Names of the sums inside, each with a shift of its own.
    """

    members: tuple[str, ...]
    adds: tuple[str, ...]


def families(network: FloatNetwork) -> tuple[Family, ...]:
    """All families, in the order of their first tensors."""
    adds = [layer for layer in network.layers if isinstance(layer.op, Add)]
    return tuple(
        Family(
            members=members,
            adds=tuple(layer.name for layer in adds if layer.output in members),
        )
        for members in tied(network, adds=True)
    )


def tied(network: FloatNetwork, *, adds: bool) -> tuple[tuple[str, ...], ...]:
    """Groups of tensors that need one scale, in the order of their first tensors.

    Args:
        network: The network.
        adds: Whether a sum of two tensors ties them to its result.
    """
    roots = {name: name for name in _tensors(network)}

    def root(name: str) -> str:
        while roots[name] != name:
            name = roots[name]
        return name

    for layer in network.layers:
        if _ties(layer.op) and (adds or not isinstance(layer.op, Add)):
            for name in (*layer.inputs[1:], layer.output):
                roots[root(name)] = root(layer.inputs[0])
    grouped: dict[str, list[str]] = {}
    for name in _tensors(network):
        grouped.setdefault(root(name), []).append(name)
    return tuple(tuple(members) for members in grouped.values())


def exponents(network: FloatNetwork, shifts: Mapping[str, int]) -> dict[str, int] | None:
    """Power of two of every tensor within its family, or None if the shifts contradict each other.

    Args:
        network: The network.
        shifts: Right shift of every sum of two tensors, by layer name.
    """
    edges: dict[str, list[tuple[str, int]]] = {name: [] for name in _tensors(network)}
    for layer in network.layers:
        if not _ties(layer.op):
            continue
        step = shifts.get(layer.name, 0)
        first = layer.inputs[0]
        pairs = [(name, 0) for name in layer.inputs[1:]] + [(layer.output, step)]
        for name, distance in pairs:
            edges[first].append((name, distance))
            edges[name].append((first, -distance))
    found: dict[str, int] = {}
    for start in edges:
        if start in found:
            continue
        found[start] = 0
        queue = [start]
        while queue:
            here = queue.pop()
            for there, distance in edges[here]:
                if there not in found:
                    found[there] = found[here] + distance
                    queue.append(there)
                elif found[there] != found[here] + distance:
                    return None
    return found


def _tensors(network: FloatNetwork) -> tuple[str, ...]:
    return (*network.inputs, *(layer.output for layer in network.layers))


def _ties(op: object) -> bool:
    """Whether the scale of the result follows from that of the operands."""
    return isinstance(op, Add) or not isinstance(op, Sum)
