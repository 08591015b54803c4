"""Quantises a network layer by layer, each on the inputs the quantised ones before it give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite, prod

import numpy as np

from htvm.ir.graph import Node
from htvm.quantize.execute import apply
from htvm.quantize.integer import IntegerNetwork, Step, run_layer, to_integers
from htvm.quantize.moments import Moments, grouped, moments
from htvm.quantize.network import Add, AvgPool, FloatNetwork, Floats, Linear, Sum
from htvm.quantize.rounding import Doubles, Range, compensated, nearest
from htvm.quantize.scales import Choice
from htvm.quantize.scheme import EXACT_IN_FLOAT, Scheme

_RIDGE = 0.05


@dataclass(frozen=True, kw_only=True)
class Method:
    """How weights are rounded.

    Attributes:
        compensate: Whether rounding looks at the output.
        refit: Whether weights may move to make good what layers before have lost.
        correct_bias: Whether biases take up the mean error.
    """

    compensate: bool = True
    refit: bool = True
    correct_bias: bool = True


def calibrate(
    network: FloatNetwork,
    data: Mapping[str, Floats],
    choice: Choice,
    scheme: Scheme,
    method: Method,
) -> IntegerNetwork:
    """The integer network for given scales.

    Args:
        network: The float network.
        data: Calibration inputs in real numbers.
        choice: Scales and shifts.
        scheme: The arithmetic.
        method: How to round weights.
    """
    wanted = dict(data)
    seen = {name: to_integers(x, choice.scales[name], *scheme.bounds) for name, x in data.items()}
    last = {name: layer.name for layer in network.layers for name in layer.inputs}
    layers: list[Node] = []
    steps: dict[str, Step] = {}
    for layer in network.layers:
        made = layer
        if isinstance(layer.op, Linear):
            source = layer.inputs[0]
            found = moments(layer.op, seen[source], wanted[source])
            made = replace(layer, op=_quantised(layer, layer.op, found, choice, scheme, method))
        if isinstance(layer.op, Sum):
            steps[layer.name] = _step(layer, choice, scheme)
        wanted[layer.output] = apply(layer, *(wanted[name] for name in layer.inputs))
        seen[layer.output] = run_layer(
            made,
            steps.get(layer.name),
            choice.scales[layer.output],
            *(seen[name] for name in layer.inputs),
        )
        layers.append(made)
        for name in layer.inputs:
            if last[name] == layer.name:
                wanted.pop(name, None)
                seen.pop(name, None)
    return IntegerNetwork(
        network=replace(network, layers=tuple(layers)), steps=steps, scales=choice.scales
    )


def _step(layer: Node, choice: Choice, scheme: Scheme) -> Step:
    """The requantisation after a layer; rounding to nearest is an addition before the shift."""
    op, shift = layer.op, choice.shifts[layer.name]
    assert isinstance(op, Sum)
    scale = choice.scales[layer.output]
    lo = max(scheme.lo, round(op.lo / scale)) if isfinite(op.lo) else scheme.lo
    hi = min(scheme.hi, round(op.hi / scale)) if isfinite(op.hi) else scheme.hi
    half = (1 << shift) >> 1 if isinstance(op, Add | AvgPool) else 0
    return Step(shift=shift, lo=min(lo, hi), hi=hi, add=half)


def _quantised(
    layer: Node, op: Linear, found: Moments, choice: Choice, scheme: Scheme, method: Method
) -> Linear:
    """Integer weights and bias; the bias holds half of the divisor, so that floor rounds."""
    shift = choice.shifts[layer.name]
    scale_in, scale_out = choice.scales[layer.inputs[0]], choice.scales[layer.output]
    unit = scale_out * 2.0**-shift
    real = grouped(op.weights, op)
    weights = _rounded(real, unit / scale_in, found, scale_in, scheme, method)
    mean = np.matmul(real, found.reference_mean[:, :, None]).reshape(-1)
    given = np.matmul(weights, found.mean[:, :, None]).reshape(-1)
    if not method.correct_bias:
        given = mean / unit
    bias = np.rint((op.bias.astype(np.float64) + mean) / unit - given) + ((1 << shift) >> 1)
    shaped = weights.reshape(op.weights.shape).astype(np.float32)
    return replace(op, weights=shaped, bias=_limited(shaped, bias, scheme).astype(np.float32))


def _rounded(
    real: Doubles, step: float, found: Moments, scale_in: float, scheme: Scheme, method: Method
) -> Doubles:
    allowed = Range(lo=scheme.weight_lo, hi=scheme.weight_hi)
    if not method.compensate:
        return nearest(real, step, allowed)
    target = real
    if method.refit:
        target = _refitted(real, found, scale_in)
    return compensated(target, found.covariance, step, allowed)


def _refitted(real: Doubles, found: Moments, scale_in: float) -> Doubles:
    """Weights that give, on the inputs seen, what the real ones give on those wanted."""
    size = real.shape[2]
    covariance = found.covariance * scale_in**2
    power = np.trace(covariance, axis1=1, axis2=2) / size
    ridge = (_RIDGE * power + 1e-12 * max(power.max(), 1e-12))[:, None, None] * np.eye(size)
    gap = found.cross * scale_in - covariance
    pull = np.linalg.solve(covariance + ridge, np.swapaxes(gap, 1, 2))
    return np.asarray(real + np.matmul(real, np.swapaxes(pull, 1, 2)))


def _limited(weights: Floats, bias: Doubles, scheme: Scheme) -> Doubles:
    """Biases, kept so small that no sum leaves what float32 holds exactly."""
    reach = np.abs(weights.reshape(len(weights), -1).astype(np.float64)).sum(axis=1)
    room = EXACT_IN_FLOAT - 1 - reach * max(abs(scheme.lo), abs(scheme.hi))
    return np.clip(bias, -room, room)


def pool_count(op: AvgPool) -> int:
    """Elements an average is over."""
    return prod(op.kernel)
