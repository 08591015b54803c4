"""The common int8 arithmetic: zero points, and a weight scale for each channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from htvm.ir.graph import Node
from htvm.quantization.execute import apply
from htvm.quantization.families import tied
from htvm.quantization.integer import IntegerNetwork
from htvm.quantization.moments import Moments, grouped, moments
from htvm.quantization.network import FloatNetwork, Floats, Linear
from htvm.quantization.offset import zero_points
from htvm.quantization.progress import SILENT, Listener
from htvm.quantization.real import real_tensors
from htvm.quantization.rounding import Doubles, Range, compensated
from htvm.quantization.statistics import Statistics, gather
from htvm.quantization.threads import one_thread

_WEIGHTS = Range(lo=-127, hi=127)
_SHRINK = tuple(0.5 + 0.02 * step for step in range(26))
"""Parts of the whole range that are tried; what lies beyond saturates."""
_LEAST = 1e-9
_BIAS_LIMIT = 2.0**30


@dataclass(frozen=True, kw_only=True)
class Grid:
    """``real = scale * (integer - zero_point)``, integers of int8."""

    scale: float
    zero_point: int = 0

    def rounded(self, x: Floats) -> Floats:
        """The nearest numbers on the grid, saturating."""
        scale = np.float32(self.scale)
        integers = np.clip(np.rint(x / scale) + self.zero_point, -128, 127)
        return np.asarray((integers - np.float32(self.zero_point)) * scale, dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class QdqNetwork:
    """A network for QuantizeLinear and DequantizeLinear.

    Attributes:
        network: Weights and biases are integers.
        grids: Of every tensor.
        weight_scales: Of every layer with weights, by name: one number, or one for each channel.
        bias_scales: The same of biases.
        real: Names of layers that compute with real numbers.
    """

    network: FloatNetwork
    grids: Mapping[str, Grid]
    weight_scales: Mapping[str, Doubles]
    bias_scales: Mapping[str, Doubles]
    real: frozenset[str] = frozenset()

    @cached_property
    def real_tensors(self) -> frozenset[str]:
        """Tensors on no grid; a quantised layer that reads one rounds it for itself."""
        return real_tensors(self.network, self.real)


@one_thread
def quantise_qdq(
    network: FloatNetwork,
    data: Mapping[str, Floats],
    *,
    seed: int = 0,
    listener: Listener = SILENT,
) -> QdqNetwork:
    """Quantise layer by layer, each on the inputs the quantised ones before it give.

    Args:
        network: The float network.
        data: Calibration inputs in real numbers.
        seed: Of what is drawn from the data.
        listener: Told which layer is next.
    """
    statistics = gather(network, data, seed, listener.at("looking at the samples"))
    grids = _grids(network, statistics)
    wanted = dict(data)
    seen = {name: grids[name].rounded(x) for name, x in data.items()}
    layers: list[Node] = []
    scales: dict[str, Doubles] = {}
    biases: dict[str, Doubles] = {}
    for layer in listener.at("rounding weights").over(network.layers):
        real = layer
        if isinstance(layer.op, Linear):
            source = layer.inputs[0]
            found = moments(layer.op, seen[source], wanted[source])
            step = _weight_scales(layer.op, grids[source].scale)
            integers = _integers(layer.op, found, step, grids[source].scale)
            scales[layer.name], biases[layer.name] = step, step * grids[source].scale
            layers.append(replace(layer, op=integers))
            real = replace(layer, op=_real(integers, step, biases[layer.name]))
        else:
            layers.append(layer)
        wanted[layer.output] = apply(layer, *(wanted[name] for name in layer.inputs))
        given = apply(real, *(seen[name] for name in layer.inputs))
        seen[layer.output] = grids[layer.output].rounded(given)
    return QdqNetwork(
        network=replace(network, layers=tuple(layers)),
        grids=grids,
        weight_scales=scales,
        bias_scales=biases,
    )


def exempted_qdq(quantised: QdqNetwork, source: FloatNetwork, real: frozenset[str]) -> QdqNetwork:
    """A quantised network some of whose layers keep the source's real numbers.

    Args:
        quantised: The network with every layer quantised.
        source: The network it was made from, layer by layer.
        real: Names of the layers to leave in real numbers, and those that follow.
    """
    given = {layer.name: layer.op for layer in source.layers if layer.name in real}
    return replace(quantised, network=quantised.network.with_ops(given), real=real)


def run_qdq(quantised: QdqNetwork, data: Mapping[str, Floats]) -> Floats:
    """What the quantised network returns, in real numbers."""
    values = {name: _held(quantised, name, x) for name, x in data.items()}
    for layer in quantised.network.layers:
        computed, name = layer, layer.name
        given = [values[item] for item in layer.inputs]
        if name not in quantised.real:
            given = [quantised.grids[item].rounded(values[item]) for item in layer.inputs]
            if isinstance(layer.op, Linear):
                ends = quantised.weight_scales[name], quantised.bias_scales[name]
                computed = replace(layer, op=_real(layer.op, *ends))
        values[layer.output] = _held(quantised, layer.output, apply(computed, *given))
    return values[quantised.network.output]


def _held(quantised: QdqNetwork, name: str, value: Floats) -> Floats:
    return value if name in quantised.real_tensors else quantised.grids[name].rounded(value)


def from_integers(quantised: IntegerNetwork) -> QdqNetwork:
    """A shift-only network as QDQ: equal but for where halves are rounded to."""
    scales: dict[str, Doubles] = {}
    biases: dict[str, Doubles] = {}
    layers = []
    for layer in quantised.network.layers:
        if isinstance(layer.op, Linear) and layer.name not in quantised.real:
            step = quantised.steps[layer.name]
            unit = quantised.scales[layer.output] * 2.0**-step.shift
            scales[layer.name] = np.array([unit / quantised.scales[layer.inputs[0]]])
            biases[layer.name] = np.array([unit])
            bias = layer.op.bias - np.float32((1 << step.shift) >> 1)
            layers.append(replace(layer, op=replace(layer.op, bias=bias)))
        else:
            layers.append(layer)
    return QdqNetwork(
        network=replace(quantised.network, layers=tuple(layers)),
        grids=_shifted(quantised),
        weight_scales=scales,
        bias_scales=biases,
        real=quantised.real,
    )


def _shifted(quantised: IntegerNetwork) -> dict[str, Grid]:
    """Grids of a shift-only network; ops that move an input keep its zero point."""
    zeros = zero_points(quantised)
    return {
        name: Grid(scale=scale, zero_point=zeros.get(name, 0))
        for name, scale in quantised.scales.items()
    }


def _grids(network: FloatNetwork, statistics: Statistics) -> dict[str, Grid]:
    grids = {}
    for members in tied(network, adds=False):
        samples = np.concatenate([statistics.samples[name] for name in members])
        lo = min(0.0, *(float(statistics.samples[name].min()) for name in members))
        grid = _best_grid(samples, lo, max(0.0, float(samples.max())))
        grids.update(dict.fromkeys(members, grid))
    return grids


def _best_grid(samples: Floats, lo: float, hi: float) -> Grid:
    best: tuple[float, Grid] | None = None
    for part in _SHRINK:
        scale = max((hi - lo) * part / 255, _LEAST)
        grid = Grid(
            scale=scale, zero_point=int(np.clip(np.rint(-128 - lo * part / scale), -128, 127))
        )
        loss = float(np.mean((grid.rounded(samples) - samples) ** 2, dtype=np.float64))
        if best is None or loss <= best[0]:
            best = loss, grid
    assert best is not None
    return best[1]


def _weight_scales(op: Linear, scale_in: float) -> Doubles:
    """One for each channel, great enough that the bias fits, even where all weights are zero."""
    greatest = np.abs(op.weights.reshape(len(op.weights), -1)).max(axis=1).astype(np.float64)
    floor = max(float(greatest.max()) * 1e-6, _LEAST)
    for_bias = np.abs(op.bias.astype(np.float64)) / (scale_in * _BIAS_LIMIT / 2)
    return np.asarray(np.maximum(np.maximum(greatest, floor) / _WEIGHTS.hi, for_bias))


def _integers(op: Linear, found: Moments, step: Doubles, scale_in: float) -> Linear:
    real = grouped(op.weights, op)
    rows = step.reshape(real.shape[0], -1, 1)
    weights = compensated(real / rows, found.covariance, 1.0, _WEIGHTS)
    gap = np.matmul(real, found.reference_mean[:, :, None]) - np.matmul(
        weights * rows, found.mean[:, :, None]
    )
    bias = np.rint((op.bias + gap.reshape(-1)) / (step * scale_in))
    kept = np.clip(bias, -_BIAS_LIMIT, _BIAS_LIMIT).astype(np.float32)
    shaped = weights.reshape(op.weights.shape).astype(np.float32)
    return replace(op, weights=shaped, bias=kept)


def _real(op: Linear, step: Doubles, unit: Doubles) -> Linear:
    wide = step.reshape((-1,) + (1,) * (op.weights.ndim - 1))
    weights, bias = op.weights * wide, op.bias * unit
    return replace(op, weights=weights.astype(np.float32), bias=bias.astype(np.float32))
