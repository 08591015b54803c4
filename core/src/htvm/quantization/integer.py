"""The quantised network, and what it computes: whole numbers carried in float32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite

import numpy as np

from htvm.ir.graph import Node
from htvm.ir.ops import Clip
from htvm.quantization import kernels
from htvm.quantization.execute import apply
from htvm.quantization.network import Add, AvgPool, Conv, Dense, FloatNetwork, Floats, Linear, Sum
from htvm.quantization.real import real_tensors


@dataclass(frozen=True, kw_only=True)
class Step:
    """``clip((x * mul + add) >> shift, lo, hi)`` after a layer's sum.

    ``mul`` and ``add`` are 1 and 0 where the weights and the bias hold them.
    """

    shift: int
    lo: int
    hi: int
    mul: int = 1
    add: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerNetwork:
    """A quantised network.

    Attributes:
        network: Weights and biases are whole numbers; bounds of sums mean nothing any more.
        steps: The requantisation of every layer that sums, by layer name.
        scales: What 1 stands for, of every tensor.
        zeros: The int8 that stands for 0.0 in an input, where that is not 0. Tensors here hold
            what is left when it is subtracted, unless :mod:`htvm.quantization.offset` folded it
            away.
        bounds: Least and greatest activation.
        real: Names of layers that compute with real numbers; they have no step, and their weights
            and bounds are real.
    """

    network: FloatNetwork
    steps: Mapping[str, Step]
    scales: Mapping[str, float]
    zeros: Mapping[str, int] = field(default_factory=dict)
    bounds: tuple[int, int] = (-128, 127)
    real: frozenset[str] = frozenset()

    @property
    def input_zero(self) -> int:
        """Zero point of the first input."""
        return self.zeros.get(self.network.inputs[0], 0)

    @property
    def input_scale(self) -> float:
        """Of the first input; 1 if that holds real numbers."""
        return self.scale(self.network.inputs[0])

    @property
    def output_scale(self) -> float:
        """Of the output; 1 if that holds real numbers."""
        return self.scale(self.network.output)

    def scale(self, tensor: str) -> float:
        """What 1 stands for in a tensor as it is held."""
        return 1.0 if tensor in self.real_tensors else self.scales[tensor]

    @cached_property
    def real_tensors(self) -> frozenset[str]:
        """Tensors held as real numbers; a layer that needs whole ones rounds them for itself."""
        return real_tensors(self.network, self.real)


def exempted(
    quantised: IntegerNetwork, source: FloatNetwork, real: frozenset[str]
) -> IntegerNetwork:
    """A quantised network some of whose layers keep the source's real numbers.

    Args:
        quantised: The network with every layer quantised.
        source: The network it was made from, layer by layer.
        real: Names of the layers to leave in real numbers, and those that follow.
    """
    given = {layer.name: layer.op for layer in source.layers if layer.name in real}
    held = real_tensors(source, real)
    return replace(
        quantised,
        network=quantised.network.with_ops(given),
        steps={name: step for name, step in quantised.steps.items() if name not in real},
        zeros={name: zero for name, zero in quantised.zeros.items() if name not in held},
        real=real,
    )


def to_integers(x: Floats, scale: float, lo: int = -128, hi: int = 127) -> Floats:
    """The nearest whole multiples of ``scale``, saturating."""
    return np.asarray(np.clip(np.rint(x / np.float32(scale)), lo, hi), dtype=np.float32)


def read_inputs(quantised: IntegerNetwork, x: Mapping[str, Floats]) -> dict[str, Floats]:
    """Inputs of real numbers as the whole numbers the network computes with, where it does."""
    found = {}
    for name, value in x.items():
        if name in quantised.real_tensors:
            found[name] = value
            continue
        zero = quantised.zeros.get(name, 0)
        ends = (end - zero for end in quantised.bounds)
        found[name] = to_integers(value, quantised.scales[name], *ends)
    return found


def operands(
    quantised: IntegerNetwork, layer: Node, values: Mapping[str, Floats]
) -> tuple[Floats, ...]:
    """What a layer reads, as the real or whole numbers it computes with."""
    real = layer.name in quantised.real
    return tuple(_as_read(quantised, name, values[name], real=real) for name in layer.inputs)


def _as_read(quantised: IntegerNetwork, name: str, value: Floats, *, real: bool) -> Floats:
    if real == (name in quantised.real_tensors):
        return value
    scale = quantised.scales[name]
    return value * np.float32(scale) if real else to_integers(value, scale, *quantised.bounds)


def run_layer(layer: Node, step: Step | None, scale: float, *given: Floats) -> Floats:
    """One layer of an integer network."""
    op = layer.op
    if isinstance(op, Clip):
        lo, hi = clip_bounds(op, scale)
        return np.asarray(np.clip(given[0], np.float32(lo), np.float32(hi)))
    if not isinstance(op, Sum):
        return apply(layer, *given)
    assert step is not None
    return stepped(total(op, *given), step)


def total(op: Sum, *operands: Floats) -> Floats:
    """The sum before requantisation."""
    if isinstance(op, Conv):
        return kernels.conv(op, *operands) + op.bias.reshape(1, -1, 1, 1)
    if isinstance(op, Dense):
        return kernels.dense(op, *operands) + op.bias
    if isinstance(op, AvgPool):
        return kernels.sum_pool(op, *operands)
    assert isinstance(op, Add)
    return operands[0] + operands[1]


def stepped(acc: Floats, step: Step) -> Floats:
    """The requantisation of sums."""
    if step.mul != 1 or step.add:
        acc = acc * np.float32(step.mul) + np.float32(step.add)
    floored = np.floor(acc * np.float32(2.0**-step.shift))
    return np.asarray(np.clip(floored, np.float32(step.lo), np.float32(step.hi)))


def clip_bounds(op: Clip, scale: float) -> tuple[int, int]:
    """Bounds in whole multiples of ``scale``, within int8."""
    lo = max(-128, round(op.lo / scale)) if isfinite(op.lo) else -128
    hi = min(127, round(op.hi / scale)) if isfinite(op.hi) else 127
    return min(lo, 127), max(hi, -128)


def run(
    quantised: IntegerNetwork, inputs: Mapping[str, Floats], *, keep_all: bool = False
) -> dict[str, Floats]:
    """Tensors of whole numbers for inputs of whole numbers; real ones for layers left real.

    Args:
        quantised: The network.
        inputs: Whole numbers in float32, as :func:`read_inputs` gives them.
        keep_all: Whether every tensor is wanted; otherwise only the output is kept.
    """
    network = quantised.network
    values = dict(inputs)
    last = {name: layer.name for layer in network.layers for name in layer.inputs}
    for layer in network.layers:
        given = operands(quantised, layer, values)
        if layer.name in quantised.real:
            values[layer.output] = apply(layer, *given)
        else:
            step, scale = quantised.steps.get(layer.name), quantised.scales[layer.output]
            values[layer.output] = run_layer(layer, step, scale, *given)
        for name in layer.inputs:
            if last[name] == layer.name and not keep_all and name != network.output:
                values.pop(name, None)
    return values


def ties(quantised: IntegerNetwork, x: Mapping[str, Floats]) -> tuple[int, int]:
    """Elements of sums, and those of them that a rounding of halves to even would change."""
    values = run(quantised, read_inputs(quantised, x), keep_all=True)
    elements = changed = 0
    for layer in quantised.network.layers:
        op = layer.op
        if not isinstance(op, Sum) or layer.name in quantised.real:
            continue
        step = quantised.steps[layer.name]
        acc = total(op, *operands(quantised, layer, values)) * np.float32(step.mul)
        half = 0 if isinstance(op, Add | AvgPool) else (1 << step.shift) >> 1
        nearest = np.rint((acc - np.float32(half)) * np.float32(2.0**-step.shift))
        elements += acc.size
        changed += int((np.clip(nearest, step.lo, step.hi) != values[layer.output]).sum())
    return elements, changed


def logits(quantised: IntegerNetwork, x: Mapping[str, Floats]) -> Floats:
    """The output in real numbers for inputs of real numbers."""
    result = run(quantised, read_inputs(quantised, x))[quantised.network.output]
    return result * np.float32(quantised.output_scale)


def worst_sum(op: Linear, lo: int, hi: int) -> float:
    """Greatest magnitude any partial sum of a layer can reach, in whatever order it is summed."""
    reach = np.abs(op.weights.reshape(len(op.weights), -1).astype(np.float64)).sum(axis=1)
    return float((reach * max(abs(lo), abs(hi)) + np.abs(op.bias.astype(np.float64))).max())
