"""Brings a network as it was read to the form that is quantised.

Scale-and-shift layers fold into the layer before them, activations become bounds, padding joins
convolutions, and a softmax or sigmoid at the end goes: neither changes which class wins, and no
integer arithmetic has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

import numpy as np

from htvm.ir.graph import Node
from htvm.ir.ops import Clip, Concat, MaxPool2d, Op, Pad, Reshape, Transpose
from htvm.quantization.network import (
    AvgPool,
    Conv,
    Dense,
    FloatNetwork,
    Linear,
    Sigmoid,
    Softmax,
    Sum,
)

Merge = Callable[[Node, Node, FloatNetwork], "Op | None"]


def tidy(network: FloatNetwork) -> FloatNetwork:
    """The same function in fewer layers, without a softmax or sigmoid at its end."""
    return _merged(_without_tail(_merged(_live(network))))


def _merged(network: FloatNetwork) -> FloatNetwork:
    while True:
        shorter = _merged_once(network)
        if shorter is None:
            return network
        network = shorter


def _live(network: FloatNetwork) -> FloatNetwork:
    needed, kept = {network.output}, []
    for layer in reversed(network.layers):
        if layer.output in needed:
            kept.append(layer)
            needed.update(layer.inputs)
    return replace(network, layers=tuple(reversed(kept)))


def _without_tail(network: FloatNetwork) -> FloatNetwork:
    layer = network.producers[network.output]
    notes = list(network.notes)
    while isinstance(layer.op, Softmax | Sigmoid | Reshape):
        before = network.producers.get(layer.inputs[0])
        if before is None or network.only_reader(layer.inputs[0]) is not layer:
            break
        if isinstance(layer.op, Reshape):
            inner: Node | None = before
            while inner is not None and isinstance(inner.op, Reshape):
                inner = network.producers.get(inner.inputs[0])
            if inner is None or not isinstance(inner.op, Softmax | Sigmoid):
                break
            layer = before
            continue
        kind = type(layer.op).__name__.lower()
        notes.append(
            f"the {kind} at the end ({layer.name}) is left to the caller: the result is what it "
            "would have been given"
        )
        network = replace(
            network,
            output=layer.inputs[0],
            layers=tuple(item for item in network.layers if item is not layer),
            notes=tuple(notes),
        )
        network = _live(network)
        layer = network.producers[network.output]
    return network


def _merged_once(network: FloatNetwork) -> FloatNetwork | None:
    for layer in network.layers:
        before = network.producers.get(layer.inputs[0])
        if _does_nothing(layer, network) and (before or layer.output != network.output):
            return _dropped(network, layer)
        if (
            before is None
            or len(layer.inputs) != 1
            or network.only_reader(before.output) is not layer
        ):
            continue
        for merge in _MERGES:
            op = merge(before, layer, network)
            if op is not None:
                return _joined(network, before, layer, op)
    return None


def _joined(network: FloatNetwork, before: Node, layer: Node, op: Op) -> FloatNetwork:
    names = before.name if isinstance(before.op, Linear) else layer.name
    told = tuple(dict.fromkeys((*before.source, *layer.source)))
    one = Node(name=names, op=op, inputs=before.inputs, output=layer.output, source=told)
    layers = [one if item is layer else item for item in network.layers if item is not before]
    return replace(network, layers=tuple(layers))


def _dropped(network: FloatNetwork, layer: Node) -> FloatNetwork:
    old, new = layer.output, layer.inputs[0]
    layers = [
        replace(item, inputs=tuple(new if name == old else name for name in item.inputs))
        for item in network.layers
        if item is not layer
    ]
    output = new if network.output == old else network.output
    return replace(network, layers=tuple(layers), output=output)


def _does_nothing(layer: Node, network: FloatNetwork) -> bool:
    op = layer.op
    if isinstance(op, Reshape):
        return network.shapes[layer.inputs[0]] == network.shapes[layer.output]
    if isinstance(op, Transpose):
        return op.perm == tuple(range(len(op.perm)))
    if isinstance(op, Clip):
        lo, hi = _range(layer.inputs[0], network)
        return lo >= op.lo and hi <= op.hi
    return False


def _range(tensor: str, network: FloatNetwork) -> tuple[float, float]:
    """Bounds every element is known to lie in."""
    layer = network.producers.get(tensor)
    if layer is None:
        return -inf, inf
    op = layer.op
    if isinstance(op, Softmax | Sigmoid):
        return 0.0, 1.0
    if isinstance(op, Sum | Clip) and not isinstance(op, AvgPool):
        return op.lo, op.hi
    if isinstance(op, AvgPool | MaxPool2d | Reshape | Transpose | Concat | Pad):
        ranges = [_range(name, network) for name in layer.inputs]
        if isinstance(op, AvgPool | Pad):
            ranges.append((0.0, 0.0))
        return min(lo for lo, _ in ranges), max(hi for _, hi in ranges)
    return -inf, inf


def _activation(before: Node, layer: Node, network: FloatNetwork) -> Op | None:
    del network
    if not isinstance(layer.op, Clip) or not isinstance(before.op, Sum):
        return None
    lo, hi = max(before.op.lo, layer.op.lo), min(before.op.hi, layer.op.hi)
    return replace(before.op, lo=lo, hi=hi) if lo <= hi else None


def _scale_after(before: Node, layer: Node, network: FloatNetwork) -> Op | None:
    """Fold ``gain * x + shift`` into the weights before it."""
    first, second = before.op, layer.op
    if not isinstance(first, Linear) or np.isfinite((first.lo, first.hi)).any():
        return None
    gain = _gain(second)
    if gain is None or not isinstance(second, Linear):
        return None
    if len(network.shapes[before.output]) != len(network.shapes[layer.output]):
        return None
    weights = first.weights * gain.reshape((-1,) + (1,) * (first.weights.ndim - 1))
    bias = first.bias * gain + second.bias
    return replace(
        first,
        weights=weights.astype(np.float32),
        bias=bias.astype(np.float32),
        lo=second.lo,
        hi=second.hi,
    )


def _scale_before(before: Node, layer: Node, network: FloatNetwork) -> Op | None:
    """Fold ``gain * x + shift`` into the weights after it, where padding stays zero."""
    first, second = before.op, layer.op
    gain = _gain(first)
    if gain is None or not isinstance(first, Linear) or not isinstance(second, Linear):
        return None
    if np.isfinite((first.lo, first.hi)).any():
        return None
    if isinstance(second, Dense) and isinstance(first, Dense):
        bias = second.bias + second.weights @ first.bias
        return replace(second, weights=second.weights * gain, bias=bias.astype(np.float32))
    plain = isinstance(second, Conv) and (not any(second.pad) or not first.bias.any())
    if not plain or not isinstance(second, Conv) or not isinstance(first, Conv):
        return None
    inner = second.weights.shape[1]
    per_group = gain.reshape(second.groups, inner), first.bias.reshape(second.groups, inner)
    outputs = len(second.bias) // second.groups
    factor, shift = (np.repeat(part, outputs, axis=0)[:, :, None, None] for part in per_group)
    bias = second.bias + (second.weights * shift).sum(axis=(1, 2, 3))
    weights = (second.weights * factor).astype(np.float32)
    return replace(second, weights=weights, bias=bias.astype(np.float32))


def _gain(op: Op) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None:
    """The factors of a layer that only scales and shifts its channels."""
    if isinstance(op, Conv):
        alone = op.is_depthwise or op.weights.shape == (1, 1, 1, 1)
        plain = op.weights.shape[1:] == (1, 1, 1) and op.stride == (1, 1) and not any(op.pad)
        return op.weights.reshape(-1) if alone and plain else None
    if isinstance(op, Dense) and op.weights.shape[0] == op.weights.shape[1]:
        diagonal = np.diagonal(op.weights)
        return diagonal.copy() if np.count_nonzero(op.weights - np.diag(diagonal)) == 0 else None
    return None


def _padding(before: Node, layer: Node, network: FloatNetwork) -> Op | None:
    del network
    if not isinstance(before.op, Pad) or not isinstance(layer.op, Conv) or before.op.value:
        return None
    if any(before.op.before[:2]) or any(before.op.after[:2]):
        return None
    top, left, bottom, right = layer.op.pad
    (above, aside), (below, beside) = before.op.before[2:], before.op.after[2:]
    return replace(layer.op, pad=(top + above, left + aside, bottom + below, right + beside))


def _views(before: Node, layer: Node, network: FloatNetwork) -> Op | None:
    if isinstance(before.op, Transpose) and isinstance(layer.op, Transpose):
        return Transpose(perm=tuple(before.op.perm[axis] for axis in layer.op.perm))
    if isinstance(before.op, Reshape) and isinstance(layer.op, Reshape):
        return layer.op
    if isinstance(before.op, Reshape | Transpose) and isinstance(layer.op, Reshape | Transpose):
        shape = network.shapes[before.inputs[0]]
        moves = _keeps_order(before.op, shape) and _keeps_order(
            layer.op, network.shapes[layer.inputs[0]]
        )
        return Reshape(shape=network.shapes[layer.output]) if moves else None
    return None


def _keeps_order(op: Op, shape: tuple[int, ...]) -> bool:
    """Whether row-major elements stay where they are."""
    if not isinstance(op, Transpose):
        return True
    kept = [axis for axis in op.perm if shape[axis] > 1]
    return kept == sorted(kept)


_MERGES: tuple[Merge, ...] = (_activation, _scale_after, _scale_before, _padding, _views)
