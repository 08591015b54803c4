"""Reads calibration data and judges it before anything is built on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from htvm.errors import UsageError
from htvm.host.inputs import InputSpec, load_arrays
from htvm.host.values import LITTLE_OF_RANGE, MUCH_BEYOND, Port, quantised
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Origin
from htvm.ir.tensor import Array, Quantization, Tensor
from htvm.quantization.images import load_images
from htvm.quantization.network import FloatNetwork, Floats

_FEW = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """Calibration inputs in real numbers.

    Attributes:
        arrays: By input name, samples first.
        samples: Number of samples.
        warnings: What is doubtful about them.
    """

    arrays: Mapping[str, Floats]
    samples: int
    warnings: tuple[str, ...] = ()


def load_calibration(
    spec: InputSpec, network: FloatNetwork, *, samples: int | None = None, seed: int = 0
) -> Calibration:
    """Calibration data for a network.

    Real numbers and images are what the float network takes, after the factor and offset of the
    specification. Where the source is quantised and the data has its very integer type, the
    source's own scale and zero point apply.

    Args:
        spec: An ``.npz`` or ``.npy`` file, or a folder of images.
        network: The network.
        samples: How many to use at most, drawn by the seed.
        seed: Of the draw.

    Raises:
        UsageError: The data cannot be read (E120 to E128, E152, E153) or is constant (E154).
    """
    graph = _stand_in(network)
    if Path(spec.path).is_dir():
        arrays: Mapping[str, Array] = load_images(spec, graph)
    else:
        arrays = load_arrays(_by_hint(spec, network), graph)
    floats: dict[str, Floats] = {name: array.astype(np.float32) for name, array in arrays.items()}
    count = len(next(iter(floats.values())))
    if samples is not None and samples < count:
        drawn = np.sort(np.random.default_rng(seed).choice(count, samples, replace=False))
        floats = {name: array[drawn] for name, array in floats.items()}
    found = checked(floats, spec.name)
    return replace(found, warnings=(*found.warnings, *_doubts(floats, network)))


def checked(arrays: Mapping[str, Floats], owner: str) -> Calibration:
    """The arrays with warnings about them.

    Raises:
        UsageError: an input holds NaN or infinity (E127), or one number only (E154).
    """
    warnings = []
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise UsageError(
                f"the calibration data for input {name!r} holds NaN or infinity",
                code="E127",
                accepted="finite numbers",
                hint="check --calib-scale and --calib-offset",
            )
        if array.min() == array.max():
            raise UsageError(
                f"the calibration data in {owner} says nothing about input {name!r}",
                code="E154",
                seen=f"{array.min():g} in every one of {array.size} elements",
                accepted="samples of what the network will see in use, a hundred or so",
                hint="check the file, --calib-scale and --calib-offset",
            )
        if len(array) > 1 and not (array != array[:1]).any():
            warnings.append(f"all {len(array)} calibration samples for {name} are the same")
    count = len(next(iter(arrays.values())))
    if count < _FEW:
        only = "only one calibration sample" if count == 1 else f"only {count} calibration samples"
        warnings.append(f"{only}; a hundred give steadier results")
    return Calibration(arrays=arrays, samples=count, warnings=tuple(warnings))


def _doubts(arrays: Mapping[str, Floats], network: FloatNetwork) -> Iterator[str]:
    """Data unlike what a quantised source was made for."""
    for name, array in arrays.items():
        hint = network.hints.get(name)
        if hint is None:
            continue
        meaning = Quantization(scale=(hint.scale,), zero_point=hint.zero_point)
        port = Port(name=name, dtype=DType(hint.dtype), quantization=meaning)
        reading = quantised(array, port)
        little = reading.spread is not None and reading.spread < LITTLE_OF_RANGE
        if little or reading.beyond > MUCH_BEYOND:
            low, high = (hint.scale * (end - hint.zero_point) for end in port.dtype.bounds)
            yield (
                f"the calibration samples for {name} go from {array.min():g} to {array.max():g}, "
                f"the network was made for {low:g} to {high:g}: --calib-scale and --calib-offset "
                "bring them there"
            )


def _stand_in(network: FloatNetwork) -> Graph:
    """A graph of inputs only, as the reader of samples wants it."""
    return Graph(
        name=network.name,
        inputs=network.inputs,
        outputs=(),
        nodes=(),
        tensors={
            name: Tensor(name=name, shape=network.shapes[name], dtype=DType.FLOAT32)
            for name in network.inputs
        },
        origin=Origin(
            path=network.name, format="tflite-int8" if network.channels_last else "built"
        ),
    )


def _by_hint(spec: InputSpec, network: FloatNetwork) -> InputSpec:
    """The source's own scale, for data in the source's own integers."""
    hint = network.hints.get(network.inputs[0])
    untouched = spec.scale == 1.0 and spec.offset == 0.0
    if hint is None or not untouched or _stored_type(spec) != hint.dtype:
        return spec
    return replace(spec, scale=hint.scale, offset=-hint.scale * hint.zero_point)


def _stored_type(spec: InputSpec) -> str:
    """Element type of the first array meant, or nothing if the file cannot be read."""
    try:
        loaded = np.load(spec.path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return ""
    if isinstance(loaded, np.ndarray):
        return str(loaded.dtype)
    with loaded:
        keys = [spec.key] if spec.key else [key for key in loaded.files if key != "labels"]
        arrays: list[Array] = [loaded[key] for key in keys[:1] if key in loaded.files]
    return str(arrays[0].dtype) if arrays else ""
