"""Quantises a network layer by layer, each on the inputs the quantised ones before it give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from htvm.errors import UnsupportedModelError
from htvm.ir.graph import Node
from htvm.quantization.blocks import join_weights, split_weights
from htvm.quantization.execute import apply
from htvm.quantization.integer import IntegerNetwork, Step, operands, read_inputs, run_layer
from htvm.quantization.moments import Moments, grouped, moments
from htvm.quantization.network import Add, AvgPool, FloatNetwork, Floats, Linear, Sum
from htvm.quantization.progress import SILENT, Listener
from htvm.quantization.real import real_tensors
from htvm.quantization.rounding import Doubles, Range, compensated, nearest
from htvm.quantization.scales import Choice
from htvm.quantization.scheme import EXACT_IN_FLOAT, Scheme


@dataclass(frozen=True, kw_only=True)
class Method:
    """How weights are rounded.

    Attributes:
        compensate: Whether rounding looks at the output.
        refit: Whether weights may move to make good what layers before have lost.
        correct_bias: Whether biases take up the mean error.
        ridge: What holds refitted weights back, relative to the power of the inputs.
    """

    compensate: bool = True
    refit: bool = True
    correct_bias: bool = True
    ridge: float = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What is decided before any weight is rounded."""

    choice: Choice
    scheme: Scheme
    method: Method


def calibrate(
    network: FloatNetwork,
    data: Mapping[str, Floats],
    plan: Plan,
    listener: Listener = SILENT,
    *,
    real: frozenset[str] = frozenset(),
) -> IntegerNetwork:
    """The integer network for given scales.

    Args:
        network: The float network.
        data: Calibration inputs in real numbers.
        plan: Scales, arithmetic and method.
        listener: Told which layer is next.
        real: Names of layers that keep their real numbers; the others are rounded in view of the
            inputs that gives them.

    Raises:
        UnsupportedModelError: a layer's sums cannot be kept below 2**24 (E231).
    """
    frame = _frame(network, plan, real)
    wanted = dict(data)
    seen = read_inputs(frame, data)
    last = {name: layer.name for layer in network.layers for name in layer.inputs}
    layers: list[Node] = []
    steps: dict[str, Step] = {}
    for layer in listener.over(network.layers):
        given = operands(frame, layer, seen)
        made = layer
        if layer.name in frame.real:
            seen[layer.output] = apply(layer, *given)
        else:
            if isinstance(layer.op, Linear):
                found = moments(layer.op, given[0], wanted[layer.inputs[0]])
                made, steps[layer.name] = _quantised(layer, found, plan)
            elif isinstance(layer.op, Sum):
                steps[layer.name] = _step(layer, plan, plan.choice.shifts[layer.name])
            scale = frame.scales[layer.output]
            seen[layer.output] = run_layer(made, steps.get(layer.name), scale, *given)
        wanted[layer.output] = apply(layer, *(wanted[name] for name in layer.inputs))
        layers.append(made)
        for name in layer.inputs:
            if last[name] == layer.name:
                wanted.pop(name, None)
                seen.pop(name, None)
    return replace(frame, network=replace(network, layers=tuple(layers)), steps=steps)


def _frame(network: FloatNetwork, plan: Plan, real: frozenset[str]) -> IntegerNetwork:
    """The network that is to be, before any layer is quantised."""
    held = real_tensors(network, real)
    return IntegerNetwork(
        network=network,
        steps={},
        scales=plan.choice.scales,
        zeros={name: zero for name, zero in plan.choice.zeros.items() if name not in held},
        bounds=plan.scheme.bounds,
        real=real,
    )


def _step(layer: Node, plan: Plan, shift: int) -> Step:
    """The requantisation after a layer; rounding to nearest is an addition before the shift."""
    op, scheme = layer.op, plan.scheme
    assert isinstance(op, Sum)
    scale = plan.choice.scales[layer.output]
    lo = max(scheme.lo, round(op.lo / scale)) if isfinite(op.lo) else scheme.lo
    hi = min(scheme.hi, round(op.hi / scale)) if isfinite(op.hi) else scheme.hi
    half = (1 << shift) >> 1 if isinstance(op, Add | AvgPool) else 0
    return Step(shift=shift, lo=min(lo, hi), hi=hi, add=half)


def _quantised(layer: Node, found: Moments, plan: Plan) -> tuple[Node, Step]:
    """Integer weights and bias; the bias holds half of the divisor, so that floor rounds."""
    op = layer.op
    assert isinstance(op, Linear)
    target = _target(layer, op, found, plan)
    for shift in range(plan.choice.shifts[layer.name], -1, -1):
        step = _step(layer, plan, shift)
        weights, bias = _integers(layer, op, target, found, plan, shift)
        kept = bounded_bias(weights, bias, step, plan.scheme)
        if kept is not None:
            return replace(layer, op=replace(op, weights=weights, bias=kept)), step
    raise UnsupportedModelError(
        f"the sums of layer {layer.name!r} do not fit",
        code="E231",
        seen=f"{op.weights[0].size} products a sum, biases up to {np.abs(op.bias).max():g}",
        accepted=f"sums below {EXACT_IN_FLOAT}, which float32 holds exactly",
        hint="write it with --format qdq",
    )


def _integers(
    layer: Node, op: Linear, target: Doubles, found: Moments, plan: Plan, shift: int
) -> tuple[Floats, Doubles]:
    scales = plan.choice.scales
    unit = scales[layer.output] * 2.0**-shift
    real = grouped(op.weights, op)
    weights = _rounded(target, unit / scales[layer.inputs[0]], found, plan)
    mean = np.matmul(real, found.reference_mean[:, :, None]).reshape(-1)
    given = mean / unit
    if plan.method.correct_bias:
        given = np.matmul(weights, found.mean[:, :, None]).reshape(-1)
    bias = np.rint((op.bias.astype(np.float64) + mean) / unit - given) + ((1 << shift) >> 1)
    return weights.reshape(op.weights.shape).astype(np.float32), bias


def _target(layer: Node, op: Linear, found: Moments, plan: Plan) -> Doubles:
    """The real weights to round."""
    real, method = grouped(op.weights, op), plan.method
    if not (method.compensate and method.refit):
        return real
    return _refitted(real, found, plan.choice.scales[layer.inputs[0]], method.ridge)


def _rounded(target: Doubles, step: float, found: Moments, plan: Plan) -> Doubles:
    allowed = Range(lo=plan.scheme.weight_lo, hi=plan.scheme.weight_hi)
    if not plan.method.compensate:
        return nearest(target, step, allowed)
    return compensated(target, found.covariance, step, allowed)


def _refitted(real: Doubles, found: Moments, scale_in: float, ridge: float) -> Doubles:
    """Weights that give, on the inputs seen, what the real ones give on those wanted."""
    size = found.covariance.shape[2]
    covariance = found.covariance * scale_in**2
    power = np.trace(covariance, axis1=1, axis2=2) / size
    added = (ridge * power + 1e-12 * max(power.max(), 1e-12))[:, None, None] * np.eye(size)
    gap = found.cross * scale_in - covariance
    pull = np.linalg.solve(covariance + added, np.swapaxes(gap, 1, 2))
    moved = np.matmul(split_weights(real, len(pull)), np.swapaxes(pull, 1, 2))
    return np.asarray(real + join_weights(moved, real.shape))


def bounded_bias(weights: Floats, bias: Doubles, step: Step, scheme: Scheme) -> Floats | None:
    """Biases with which no sum reaches 2**24, in whatever order it is summed, or None.

    A bias may be brought nearer to zero where the result saturates for every input all the same.
    """
    reach = np.abs(weights.reshape(len(weights), -1).astype(np.float64)).sum(axis=1)
    reach = reach * max(abs(scheme.lo), abs(scheme.hi))
    room = EXACT_IN_FLOAT - 1 - reach
    kept = np.clip(bias, -room, room)
    least, most = (kept - reach) // 2**step.shift, (kept + reach) // 2**step.shift
    harmless = (kept == bias) | ((bias < 0) & (most <= step.lo)) | ((bias > 0) & (least >= step.hi))
    if bool((room < 0).any()) or not bool(harmless.all()):
        return None
    return np.asarray(kept, dtype=np.float32)
