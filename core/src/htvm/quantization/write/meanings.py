"""What the numbers inside a quantised network stand for, as properties of the file.

With them every tensor can be compared with the one of the same name in the network that was
quantised: ``real = scale * (number - zero point) * factor of the channel``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from htvm.ir.graph import Origin
from htvm.quantization.network import FloatNetwork, Floats

_SCALES = "tensor_scales"
_FACTORS = "channel_factors"
_NAMES = "tensor_names"


def scale_properties(scales: Mapping[str, float]) -> dict[str, str]:
    """What 1 stands for in tensors whose file form does not say it."""
    return {_SCALES: json.dumps(dict(scales), separators=(",", ":"))}


def factor_properties(network: FloatNetwork) -> dict[str, str]:
    """What the channels of equalised tensors were divided by."""
    if not network.factors:
        return {}
    found = {name: _short(factor) for name, factor in network.factors.items()}
    return {_FACTORS: json.dumps(found, separators=(",", ":"))}


def name_properties(names: Mapping[str, str]) -> dict[str, str]:
    """Which tensor of the source each tensor of integers stands for, by its own name."""
    return {_NAMES: json.dumps(dict(names), separators=(",", ":"))}


def _short(factor: Floats) -> list[float]:
    return [float(f"{number:.9g}") for number in factor]


def stored_scales(origin: Origin) -> dict[str, float]:
    """What :func:`scale_properties` stored; empty for a file made otherwise."""
    return _numbers(origin.metadata.get(_SCALES, ""))


def stored_factors(origin: Origin) -> dict[str, list[float]]:
    """What :func:`factor_properties` stored; empty for a file made otherwise."""
    found = _parsed(origin.metadata.get(_FACTORS, ""))
    return {
        name: [float(number) for number in numbers]
        for name, numbers in found.items()
        if isinstance(numbers, list) and all(isinstance(one, int | float) for one in numbers)
    }


def stored_names(origin: Origin) -> dict[str, str]:
    """What :func:`name_properties` stored; empty for a file made otherwise."""
    found = _parsed(origin.metadata.get(_NAMES, ""))
    return {name: told for name, told in found.items() if isinstance(told, str)}


def _numbers(text: str) -> dict[str, float]:
    return {name: float(x) for name, x in _parsed(text).items() if isinstance(x, int | float)}


def _parsed(text: str) -> dict[str, object]:
    """A JSON object; a property that is none was written by something else."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
