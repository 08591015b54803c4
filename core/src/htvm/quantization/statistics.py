"""What calibration data says about a network: samples of every tensor, moments of every input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from htvm.errors import UsageError
from htvm.quantization.execute import apply
from htvm.quantization.moments import Moments, moments
from htvm.quantization.network import FloatNetwork, Floats, Linear
from htvm.quantization.progress import SILENT, Listener

_SAMPLES = 1 << 15
"""Elements of a tensor kept to judge ranges by."""
_WHOLE = 1 << 16
"""Elements of a tensor kept as whole samples, where that many samples are between these two."""
_LEAST_WHOLE, _MOST_WHOLE = 8, 32
_SQUARES_FIT = 1e15
"""Magnitude up to which squares can be added up in float32."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """Of one pass over the calibration data.

    Attributes:
        samples: Elements of every tensor.
        whole: Every tensor for a few of the samples, to see errors through the next layer.
        greatest: Greatest magnitude in every tensor.
        ranges: Least and greatest element of every tensor, 0 among them.
        power: Mean square about the mean of every tensor.
        channels: Greatest magnitude of each channel.
        moments: Of the inputs of every layer with weights, by layer name.
        output: The network's output.
    """

    samples: Mapping[str, Floats]
    whole: Mapping[str, Floats]
    greatest: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    power: Mapping[str, float]
    channels: Mapping[str, Floats]
    moments: Mapping[str, Moments]
    output: Floats


def gather(
    network: FloatNetwork, data: Mapping[str, Floats], seed: int, listener: Listener = SILENT
) -> Statistics:
    """Run the network once over all calibration data.

    Raises:
        UsageError: the data is so large that sums overflow (E155).
    """
    random = np.random.default_rng(seed)
    samples: dict[str, Floats] = {}
    whole: dict[str, Floats] = {}
    greatest: dict[str, float] = {}
    ranges: dict[str, tuple[float, float]] = {}
    power: dict[str, float] = {}
    channels: dict[str, Floats] = {}
    found: dict[str, Moments] = {}

    def note(name: str, value: Floats) -> None:
        flat = value.reshape(-1)
        picked = flat if flat.size <= _SAMPLES else flat[random.integers(0, flat.size, _SAMPLES)]
        samples[name] = picked
        count = min(len(value), _MOST_WHOLE, max(_LEAST_WHOLE, _WHOLE // max(1, value[0].size)))
        whole[name] = value[:: len(value) // count][:count].copy()
        ranges[name] = min(0.0, float(flat.min())), max(0.0, float(flat.max()))
        greatest[name] = max(map(abs, ranges[name]))
        _refuse_overflow(name, greatest[name])
        power[name] = float(flat.var(dtype=np.float64))
        axes = (0, 2, 3) if value.ndim == 4 else tuple(range(value.ndim - 1))
        channels[name] = np.asarray(np.abs(value).max(axis=axes))

    values = dict(data)
    for name, value in data.items():
        note(name, value)
    last = {name: layer.name for layer in network.layers for name in layer.inputs}
    for layer in listener.over(network.layers):
        if isinstance(layer.op, Linear):
            found[layer.name] = moments(layer.op, values[layer.inputs[0]])
        values[layer.output] = apply(layer, *(values[name] for name in layer.inputs))
        note(layer.output, values[layer.output])
        for name in layer.inputs:
            if last[name] == layer.name and name != network.output:
                values.pop(name, None)
    return Statistics(
        samples=samples,
        whole=whole,
        greatest=greatest,
        ranges=ranges,
        power=power,
        channels=channels,
        moments=found,
        output=values[network.output],
    )


def _refuse_overflow(tensor: str, greatest: float) -> None:
    if not greatest <= _SQUARES_FIT:
        raise UsageError(
            "the network overflows on the calibration data",
            code="E155",
            seen=f"{greatest:g} in {tensor}",
            accepted=f"magnitudes up to {_SQUARES_FIT:g} in every tensor",
            hint="check --calib-scale and --calib-offset",
        )
