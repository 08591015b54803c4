"""Cross-layer equalisation: channels of neighbouring layers brought to comparable ranges.

A ReLU lets a positive factor through, so a channel may be divided by it where it is made and its
weights multiplied where it is read. One weight scale then suits all channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from htvm.ir.graph import Node
from htvm.ir.ops import MaxPool2d, Op, Reshape
from htvm.quantization.network import AvgPool, Conv, Dense, FloatNetwork, Floats, Linear

_SWEEPS = 40
_SETTLED = 1e-3
_NOTHING = 1e-3
_MOST = 1e2
"""Factors are kept within this of 1, so that a channel nobody reads cannot explode."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """Two layers with weights and only channel-preserving ops that scale between them."""

    first: str
    second: str
    tensor: str


def links(network: FloatNetwork) -> tuple[Link, ...]:
    """Every pair of layers between which channels can be scaled."""
    found = []
    for layer in network.layers:
        if isinstance(layer.op, Linear) and _scales(layer.op):
            second = _reader(network, layer.output, len(layer.op.bias))
            if second is not None:
                found.append(Link(first=layer.name, second=second.name, tensor=layer.output))
    return tuple(found)


def equalise(
    network: FloatNetwork, ranges: Mapping[str, Floats], *, activations: float = 0.0
) -> FloatNetwork:
    """The same function with channel ranges evened out.

    Args:
        network: The network.
        ranges: Greatest magnitude of each channel of the tensors between linked layers.
        activations: Weight of the activations' own ranges beside those of the two layers' weights.
    """
    pairs = links(network)
    ops = {layer.name: layer.op for layer in network.layers}
    reach = {link.tensor: ranges[link.tensor].astype(np.float64) for link in pairs}
    for _ in range(_SWEEPS):
        change = 0.0
        for link in pairs:
            first, second = ops[link.first], ops[link.second]
            assert isinstance(first, Linear) and isinstance(second, Linear)
            factor = _factor(first, second, reach[link.tensor], activations)
            ops[link.first], ops[link.second] = _divided(first, factor), _multiplied(second, factor)
            reach[link.tensor] = reach[link.tensor] / factor
            change = max(change, float(np.abs(np.log(factor)).max()))
        if change < _SETTLED:
            break
    factors = dict(network.factors)
    for link in pairs:
        before, after = ranges[link.tensor].astype(np.float64), reach[link.tensor]
        factor = np.divide(before, after, out=np.ones_like(after), where=after > 0)
        factors |= dict.fromkeys(_between(network, link), factor.astype(np.float32))
    return replace(network.with_ops(ops), factors=factors)


def _between(network: FloatNetwork, link: Link) -> Iterator[str]:
    """The tensors whose channels a link scales."""
    tensor = link.tensor
    while True:
        yield tensor
        reader = network.only_reader(tensor)
        if reader is None or reader.name == link.second:
            return
        tensor = reader.output


def _scales(op: Linear) -> bool:
    """Whether the activation lets positive factors through."""
    return op.lo in {0.0, -inf} and op.hi == inf


def _reader(network: FloatNetwork, tensor: str, channels: int) -> Node | None:
    """The next layer with weights, if nothing else sees a tensor's channels on the way."""
    while True:
        reader = network.only_reader(tensor)
        if reader is None:
            return None
        if isinstance(reader.op, Linear):
            return reader if _inputs(reader.op) == channels else None
        if not _keeps_channels(reader.op, network, reader):
            return None
        tensor = reader.output


def _keeps_channels(op: Op, network: FloatNetwork, layer: Node) -> bool:
    if isinstance(op, MaxPool2d):
        return True
    if isinstance(op, AvgPool):
        return op.lo in {0.0, -inf} and op.hi == inf
    if isinstance(op, Reshape):
        before, after = network.shapes[layer.inputs[0]], network.shapes[layer.output]
        return before[1] == after[1] and int(np.prod(before)) == before[1] == int(np.prod(after))
    return False


def _inputs(op: Linear) -> int:
    if isinstance(op, Conv):
        return int(op.weights.shape[1]) * op.groups
    return int(op.weights.shape[1])


def _by_output(weights: Floats) -> Floats:
    return np.asarray(np.abs(weights).reshape(len(weights), -1).max(axis=1))


def _by_input(op: Linear) -> Floats:
    if isinstance(op, Dense):
        return np.asarray(np.abs(op.weights).max(axis=0))
    assert isinstance(op, Conv)
    grouped = np.abs(op.weights).reshape(op.groups, -1, op.weights.shape[1], op.weights[0, 0].size)
    return np.asarray(grouped.max(axis=(1, 3)).reshape(-1))


def _factor(
    first: Linear,
    second: Linear,
    reach: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    a: float,
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    made = _by_output(first.weights).astype(np.float64)
    read = _by_input(second).astype(np.float64)
    alive = _counts(made) & _counts(read) & _counts(reach)
    spread = np.where(alive, made, 1.0) / np.where(alive, read, 1.0)
    if a:
        spread = spread * np.where(alive, reach, 1.0) ** a
    factor = np.where(alive, spread ** (1 / (2 + a)), 1.0)
    middle = float(np.exp(np.log(factor[alive]).mean())) if alive.any() else 1.0
    return np.clip(np.where(alive, factor / middle, 1.0), 1 / _MOST, _MOST)


def _counts(
    ranges: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Channels that do something; the others must not set anyone's scale."""
    return np.asarray(ranges > ranges.max() * _NOTHING)


def _divided(op: Linear, factor: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Linear:
    wide = factor.reshape((-1,) + (1,) * (op.weights.ndim - 1))
    weights, bias = op.weights / wide, op.bias / factor
    return replace(op, weights=weights.astype(np.float32), bias=bias.astype(np.float32))


def _multiplied(op: Linear, factor: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Linear:
    if isinstance(op, Dense):
        return replace(op, weights=(op.weights * factor).astype(np.float32))
    assert isinstance(op, Conv)
    outputs = len(op.bias) // op.groups
    wide = np.repeat(factor.reshape(op.groups, -1), outputs, axis=0)[:, :, None, None]
    return replace(op, weights=(op.weights * wide).astype(np.float32))
