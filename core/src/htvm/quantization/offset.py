"""Inputs whose range is not symmetric: a zero point, folded into the first layers exactly.

What an engine without zero points reads is the input's own int8; the zero point goes into the
biases of the layers that read it, and where they pad, the input is padded with it beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np

from htvm.ir.graph import Node
from htvm.ir.ops import Pad, Reshape, Transpose
from htvm.quantization.integer import IntegerNetwork, worst_sum
from htvm.quantization.network import Conv, Dense, FloatNetwork, Linear, Sum
from htvm.quantization.scheme import EXACT_IN_FLOAT


def elements_to_pad(network: FloatNetwork, name: str) -> int | None:
    """Elements to copy so that a zero point of an input can be folded away; None if it cannot."""
    readers = list(_readers(network, name))
    if not readers or any(not isinstance(layer.op, Linear) for layer in readers):
        return None
    copied = 0
    for layer in readers:
        if isinstance(layer.op, Conv) and any(layer.op.pad):
            top, left, bottom, right = layer.op.pad
            _, channels, height, width = network.shapes[layer.inputs[0]]
            copied += prod((channels, height + top + bottom, width + left + right))
    return copied


def without_offsets(quantised: IntegerNetwork) -> IntegerNetwork:
    """The same results from inputs stored as int8, by layers that know of no zero point."""
    network = quantised.network
    made: dict[str, tuple[Node, ...]] = {}
    shapes = dict(network.shapes)
    for name, zero in quantised.zeros.items():
        for layer in _readers(network, name) if zero else ():
            if layer.name in quantised.real:
                continue
            made[layer.name] = tuple(_folded(network, layer, zero, shapes))
    layers = [one for layer in network.layers for one in made.get(layer.name, (layer,))]
    scales = dict(quantised.scales)
    for layer in layers:
        scales.setdefault(layer.output, scales[layer.inputs[0]])
    return replace(
        quantised,
        network=replace(network, layers=tuple(layers), shapes=shapes),
        scales=scales,
    )


def fits(quantised: IntegerNetwork) -> bool:
    """Whether no sum of the folded layers can reach 2**24."""
    folded = without_offsets(quantised)
    linear = [layer.op for layer in folded.network.layers if isinstance(layer.op, Linear)]
    return all(worst_sum(op, -128, 127) < EXACT_IN_FLOAT for op in linear)


def zero_points(quantised: IntegerNetwork) -> dict[str, int]:
    """Zero points of the inputs, and of what only moves their elements."""
    zeros = dict(quantised.zeros)
    for layer in quantised.network.layers:
        moves = not isinstance(layer.op, Sum) and layer.name not in quantised.real
        if moves and layer.inputs[0] in zeros:
            zeros[layer.output] = zeros[layer.inputs[0]]
    return zeros


def _readers(network: FloatNetwork, name: str) -> Iterator[Node]:
    """The layers that read an input, through ops that only move it."""
    for layer in network.consumers[name]:
        if isinstance(layer.op, Reshape | Transpose) and layer.output != network.output:
            yield from _readers(network, layer.output)
        else:
            yield layer


def _folded(
    network: FloatNetwork, layer: Node, zero: int, shapes: dict[str, tuple[int, ...]]
) -> Iterator[Node]:
    op = layer.op
    assert isinstance(op, Conv | Dense)
    sums = op.weights.reshape(len(op.weights), -1).sum(axis=1, dtype=np.float64)
    bias = (op.bias - zero * sums).astype(np.float32)
    if isinstance(op, Dense) or not any(op.pad):
        yield replace(layer, op=replace(op, bias=bias))
        return
    top, left, bottom, right = op.pad
    border = Pad(before=(0, 0, top, left), after=(0, 0, bottom, right), value=zero)
    padded = f"{layer.inputs[0]}_padded_for_{layer.name}"
    images, channels, height, width = network.shapes[layer.inputs[0]]
    shapes[padded] = (images, channels, height + top + bottom, width + left + right)
    yield Node(
        name=f"{layer.name}_padding",
        op=border,
        inputs=layer.inputs,
        output=padded,
        source=layer.source,
    )
    bare = replace(op, bias=bias, pad=(0, 0, 0, 0))
    yield replace(layer, op=bare, inputs=(padded,))
