"""Reads input arrays and labels from ``FILE[:key]`` and brings them to what the network takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from htvm.errors import UsageError
from htvm.host.values import Port, Reading, doubts, port_of, quantised, read_numbers
from htvm.ir.graph import Graph
from htvm.ir.tensor import Array

ImageOrder = Literal["nchw", "nhwc"]
_TO: dict[ImageOrder, tuple[int, ...]] = {"nchw": (0, 3, 1, 2), "nhwc": (0, 2, 3, 1)}
_OTHER: dict[ImageOrder, ImageOrder] = {"nchw": "nhwc", "nhwc": "nchw"}
_LABELS = "labels"


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """Where the user's samples lie and how their numbers become the network's.

    Attributes:
        path: An ``.npz`` or ``.npy`` file.
        key: Array inside an ``.npz``; empty to pick by the network's input names.
        layout: Axis order of the arrays when it is not the network's own.
        scale: Factor applied to every element.
        offset: Added after the factor.
    """

    path: str
    key: str = ""
    layout: ImageOrder | None = None
    scale: float = 1.0
    offset: float = 0.0

    @property
    def text(self) -> str:
        """The specification as typed, without the folder."""
        return f"{self.name}:{self.key}" if self.key else self.name

    @property
    def name(self) -> str:
        """The file's name without its folder; bytes that are no UTF-8 spelled out."""
        return Path(self.path).name.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, kw_only=True, eq=False)
class InputSet:
    """Arrays ready for the network.

    Attributes:
        arrays: By input name, each with a leading axis of samples.
        labels: One integer per sample, when the file has an array ``labels``.
        samples: Number of samples.
        source: The same samples as the network in the user's file takes them; other numbers than
            ``arrays`` only where that network was quantised in this run.
        reals: What they stand for in real numbers, for inputs where that is known.
        readings: By which rule the numbers of each input were read, and how well they fit.
        doubts: Why they may not be what the user means.
    """

    arrays: Mapping[str, Array]
    labels: Array | None
    samples: int
    source: Mapping[str, Array] = field(default_factory=dict)
    reals: Mapping[str, Array] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()


def parse_spec(
    text: str,
    *,
    layout: ImageOrder | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
) -> InputSpec:
    """Split ``FILE[:key]``; a colon that belongs to an existing file's name is left alone."""
    file, colon, key = text.rpartition(":")
    if not colon or Path(text).exists() or not file:
        file, key = text, ""
    return InputSpec(path=file, key=key, layout=layout, scale=scale, offset=offset)


def load_inputs(spec: InputSpec, graph: Graph, ports: Mapping[str, Port] | None = None) -> InputSet:
    """Read and convert the arrays for every input of ``graph``.

    Args:
        spec: Where they are.
        graph: The network that is to run.
        ports: What the inputs of the user's own network take, where ``graph`` was quantised from
            it.

    Raises:
        UsageError: The file cannot be read, lacks an array, or an array does not suit its input.
    """
    stored = _read(Path(spec.path))
    placed, samples = _matched(spec, stored, graph)
    own = {name: port_of(graph, name) for name in graph.inputs}
    given = dict(ports) if ports else own
    read = {
        name: read_numbers(array, given[name], scale=spec.scale, offset=spec.offset)
        for name, array in placed.items()
    }
    fed = {name: _fed(reading, own[name]) for name, reading in read.items()} if ports else read
    told = [(port, read[name]) for name, port in given.items()]
    told += [(port, fed[name]) for name, port in own.items() if ports]
    return InputSet(
        arrays={name: reading.own for name, reading in fed.items()},
        labels=_labels(stored, samples, spec),
        samples=samples,
        source={name: reading.own for name, reading in read.items()},
        reals={name: one.real for name, one in read.items() if one.real is not None},
        readings=read,
        doubts=tuple(dict.fromkeys(doubt for port, one in told for doubt in doubts(one, port))),
    )


def shown_to(given: InputSet, ports: Mapping[str, Port]) -> InputSet:
    """The same samples, as another network takes them that stands for the same real numbers.

    Args:
        given: Samples of one network.
        ports: The inputs of the other.

    Raises:
        UsageError: E115 the inputs are not the same, or it is not known what the integers of the
            first network stand for.
    """
    if set(ports) != set(given.arrays) or set(ports) != set(given.reals):
        raise UsageError(
            "the network given with --source does not take the same samples",
            code="E115",
            seen=f"inputs {', '.join(ports)}",
            accepted=f"inputs {', '.join(given.arrays)}, whose integers have a known scale",
            hint="--source takes the network that MODEL was quantised from",
        )
    return replace(given, source={n: _shown(given.reals[n], port) for n, port in ports.items()})


def _shown(real: Array, port: Port) -> Array:
    if port.dtype.is_integer and port.quantization is not None:
        return quantised(real, port).own
    return real.astype(np.float32)


def _fed(reading: Reading, port: Port) -> Reading:
    """Numbers of the user's network as those of the network quantised from it."""
    if reading.real is None or not port.dtype.is_integer or port.quantization is None:
        return reading
    return quantised(reading.real, port)


def load_arrays(spec: InputSpec, graph: Graph) -> dict[str, Array]:
    """As :func:`load_inputs`, the arrays only.

    Raises:
        UsageError: The file cannot be read, lacks an array, or an array does not suit its input.
    """
    placed, _ = _matched(spec, _read(Path(spec.path)), graph)
    return {
        name: read_numbers(array, port_of(graph, name), scale=spec.scale, offset=spec.offset).own
        for name, array in placed.items()
    }


def load_labels(spec: InputSpec, samples: int) -> Array | None:
    """The array ``labels`` beside the samples, or None if the file has none.

    Args:
        spec: Where the samples are.
        samples: Their number.

    Raises:
        UsageError: The file cannot be read, or the labels do not go with the samples (E129).
    """
    return _labels(_read(Path(spec.path)), samples, spec)


def _matched(
    spec: InputSpec, stored: Mapping[str, Array], graph: Graph
) -> tuple[dict[str, Array], int]:
    names = _choose(spec, stored, graph)
    placed = {name: _arrange(stored[key], name, graph, spec) for name, key in names.items()}
    counts = {name: len(array) for name, array in placed.items()}
    samples = next(iter(counts.values()))
    if len(set(counts.values())) > 1 or samples == 0:
        uneven = "does not hold the same number of samples for every input"
        raise UsageError(
            f"{spec.name} {uneven if any(counts.values()) else 'holds no samples'}",
            code="E125",
            seen=", ".join(f"{name}: {count}" for name, count in counts.items()),
            accepted="one or more samples, as many for each input",
        )
    return placed, samples


def _read(file: Path) -> dict[str, Array]:
    hint = "write it with numpy.savez or numpy.save"
    if not file.is_file():
        raise UsageError(
            f"no such file: {file}", code="E120", hint="check the path after --inputs or --calib"
        )
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"": loaded}
        with loaded:
            members = {key: loaded[key] for key in loaded.files}
        return {key: array for key, array in members.items() if isinstance(array, np.ndarray)}
    except Exception as error:  # a foreign file makes zipfile, zlib, ast and numpy raise at will
        raise UsageError(
            f"{file.name} cannot be read as .npz or .npy",
            code="E121",
            seen=_cause(file, error),
            accepted="plain arrays; pickled Python objects are never loaded",
            hint=hint,
        ) from error


def _cause(file: Path, error: Exception) -> str:
    """Why an array file cannot be read; numpy takes any other file for a pickled one."""
    with file.open("rb") as opened:
        begins = opened.read(8)
    if not begins.startswith((b"PK", b"\x93NUMPY")):
        return "a file of another kind, by its first bytes"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _choose(spec: InputSpec, stored: Mapping[str, Array], graph: Graph) -> dict[str, str]:
    """Key in the file for each network input."""
    keys = [key for key in stored if key != _LABELS]
    if spec.key:
        if spec.key not in stored:
            named = [f"{spec.name}:{key}" if key else spec.name for key in keys]
            raise UsageError(
                f"{spec.name} has no array {spec.key!r}",
                code="E122",
                seen=", ".join(key or "one array without a name" for key in stored),
                hint=f"name one that is there, as in {named[0]}" if named else "",
            )
        keys = [spec.key]
    elif all(name in stored for name in graph.inputs):
        return {name: name for name in graph.inputs}
    if len(graph.inputs) == 1:
        (name,) = graph.inputs
        fitting = [key for key in keys if _fits(stored[key], name, graph, spec)]
        if 1 in (len(keys), len(fitting)):
            return {name: (fitting or keys)[0]}
        keys = fitting or keys
    raise UsageError(
        f"{spec.name} does not say which array is which input",
        code="E123",
        seen=", ".join(stored) or "no arrays",
        accepted="arrays named like the network's inputs: " + ", ".join(graph.inputs),
        hint=f"name one: {' or '.join(f'{spec.name}:{key}' for key in keys)}"
        if len(graph.inputs) == 1 and keys
        else "",
    )


def _fits(array: Array, name: str, graph: Graph, spec: InputSpec) -> bool:
    """Whether an array has the shape of samples of an input."""
    try:
        return len(_arrange(array, name, graph, spec)) > 0
    except UsageError:
        return False


def _arrange(array: Array, name: str, graph: Graph, spec: InputSpec) -> Array:
    """Samples first, axes in the network's order."""
    tensor = graph.tensors[name]
    shape = tensor.shape
    if array.ndim == len(shape) - 1:
        array = array[None]
    native: ImageOrder = "nhwc" if graph.origin.format.startswith("tflite") else "nchw"
    fits = array.ndim == len(shape) and array.shape[1:] == shape[1:]
    if spec.layout is not None and array.ndim == 4 and len(shape) == 4:
        target = _OTHER[spec.layout]
        turned = array.transpose(_TO[target])
        if turned.shape[1:] == shape[1:] and (not fits or native != spec.layout):
            return turned
    if fits:
        return array
    wanted = "x".join(str(extent) for extent in ("N", *shape[1:]))
    raise UsageError(
        f"the array for input {tensor.name!r} has the wrong shape",
        code="E124",
        seen="x".join(str(extent) for extent in array.shape),
        accepted=wanted,
        hint=_layout_hint(array, shape),
    )


def _layout_hint(array: Array, shape: tuple[int, ...]) -> str:
    if array.ndim == 4 and len(shape) == 4:
        for order, other in _OTHER.items():
            if array.transpose(_TO[order]).shape[1:] == shape[1:]:
                return f"--input-layout {other}"
    return "htvm inspect MODEL shows what the network takes"


def _labels(stored: Mapping[str, Array], samples: int, spec: InputSpec) -> Array | None:
    labels = stored.get(_LABELS)
    if labels is None or spec.key == _LABELS:
        return None
    if labels.shape != (samples,) or labels.dtype.kind not in "iu":
        raise UsageError(
            f"the labels in {spec.name} do not go with its samples",
            code="E129",
            seen=f"{labels.dtype} of shape {labels.shape}",
            accepted=f"{samples} integers",
        )
    return labels
