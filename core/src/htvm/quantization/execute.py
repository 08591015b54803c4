"""Runs a float network on a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite, prod
from typing import Any

import numpy as np

from htvm.errors import InternalError
from htvm.ir.graph import Node
from htvm.ir.ops import Clip, Concat, MaxPool2d, Op, Pad, Reshape, Transpose
from htvm.quantization import kernels
from htvm.quantization.network import (
    Add,
    AvgPool,
    Conv,
    Dense,
    FloatNetwork,
    Floats,
    Sigmoid,
    Softmax,
)


def execute(
    network: FloatNetwork,
    inputs: Mapping[str, Floats],
    *,
    keep: Callable[[str], bool] | None = None,
) -> dict[str, Floats]:
    """Every computed tensor by name, samples first.

    Args:
        network: The network.
        inputs: float32 arrays with any number of samples.
        keep: Which tensors to return; all if not given. Others are freed as soon as they can be.
    """
    values = dict(inputs)
    last = {name: layer.name for layer in network.layers for name in layer.inputs}
    wanted = keep or (lambda _: True)
    for layer in network.layers:
        values[layer.output] = apply(layer, *(values[name] for name in layer.inputs))
        for name in layer.inputs:
            if last[name] == layer.name and not wanted(name):
                values.pop(name, None)
    return {name: value for name, value in values.items() if name not in inputs and wanted(name)}


def output(network: FloatNetwork, inputs: Mapping[str, Floats]) -> Floats:
    """What the network returns."""
    return execute(network, inputs, keep=lambda name: name == network.output)[network.output]


def apply(layer: Node, *operands: Floats) -> Floats:
    """Run one layer."""
    kernel = _KERNELS.get(type(layer.op))
    if kernel is None:
        raise InternalError(f"no kernel for {type(layer.op).__name__} of layer {layer.name}")
    result: Floats = kernel(layer.op, *operands)
    return result


def bounded(x: Floats, lo: float, hi: float) -> Floats:
    """Clip, where there is something to clip to."""
    if isfinite(lo):
        x = np.maximum(x, np.float32(lo))
    if isfinite(hi):
        x = np.minimum(x, np.float32(hi))
    return x


def _conv(op: Conv, x: Floats) -> Floats:
    return bounded(kernels.conv(op, x) + op.bias.reshape(1, -1, 1, 1), op.lo, op.hi)


def _dense(op: Dense, x: Floats) -> Floats:
    return bounded(kernels.dense(op, x) + op.bias, op.lo, op.hi)


def _mean(op: AvgPool, x: Floats) -> Floats:
    return bounded(kernels.sum_pool(op, x) / np.float32(prod(op.kernel)), op.lo, op.hi)


def _pad(op: Pad, x: Floats) -> Floats:
    return np.pad(
        x, tuple(zip(op.before, op.after, strict=True)), constant_values=np.float32(op.value)
    )


def _softmax(op: Softmax, x: Floats) -> Floats:
    grown = np.exp(x - x.max(axis=op.axis, keepdims=True))
    return np.asarray(grown / grown.sum(axis=op.axis, keepdims=True), dtype=np.float32)


def _sigmoid(_: Sigmoid, x: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)), dtype=np.float32)


_KERNELS: Mapping[type[Op], Callable[..., Any]] = {
    Conv: _conv,
    Dense: _dense,
    Add: lambda op, a, b: bounded(a + b, op.lo, op.hi),
    AvgPool: _mean,
    Clip: lambda op, x: bounded(x, op.lo, op.hi),
    MaxPool2d: kernels.max_pool,
    Reshape: lambda op, x: x.reshape(len(x), *op.shape[1:]),
    Transpose: lambda op, x: np.ascontiguousarray(x.transpose(op.perm)),
    Pad: _pad,
    Concat: lambda op, *x: np.concatenate(x, axis=op.axis),
    Softmax: _softmax,
    Sigmoid: _sigmoid,
}
