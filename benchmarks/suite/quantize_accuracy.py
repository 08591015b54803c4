"""What calibration costs in accuracy, and how onnxruntime's own quantisation compares."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks import ort_static
from benchmarks.networks import OFFICIAL_INT8, models_folder
from benchmarks.result import Cell, Result
from benchmarks.sets import Floats, Score, Sets, score, sets
from htvm.frontend import integerise, read
from htvm.ir.graph import Graph
from htvm.ir.tensor import Array
from htvm.numerics import execute
from htvm.plugins.session import open_session
from htvm.quantization.calibration import checked
from htvm.quantization.execute import output
from htvm.quantization.integer import read_inputs
from htvm.quantization.network import FloatNetwork
from htvm.quantization.quantise import quantise
from htvm.quantization.scheme import Scheme, scheme_for
from htvm.quantization.source.read import float_network
from htvm.quantization.write.integer import integer_model

BARS = {"resnet8": 86.7, "dscnn": 89.8, "vww": 87.5, "sww": 90.0}
"""Least top-1 accuracy from float, percent."""
LEAST_AGREEMENT = {"vww": 97.0}
"""Least share of samples with the float network's own top-1, percent."""
AD_MOST = 1.03
"""Greatest mean squared error of ``ad``, as a multiple of that of what it was made from."""
OFFICIAL_LOSS = 0.7
"""Points that may be lost beyond that when the source is the official int8 file."""
SUBSETS, SUBSET_SIZE = 5, 50
_AT_ONCE = 64
"""Samples the reference runs side by side; it keeps every tensor of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Case:
    """A network with the data and the arithmetic it is quantised by.

    Attributes:
        name: Of the network.
        source: ``"float"`` or ``"int8"``.
        path: The file it is read from.
        network: What was read.
        found: Calibration and evaluation inputs.
        wanted: The float network's outputs for the latter.
        scheme: The arithmetic.
        most: Greatest mean squared error allowed to ``ad``.
    """

    name: str
    source: str
    path: Path
    network: FloatNetwork
    found: Sets
    wanted: Floats
    scheme: Scheme
    most: float

    @property
    def input(self) -> str:
        return self.network.inputs[0]

    def shaped(self, samples: Floats) -> Floats:
        return np.ascontiguousarray(samples.reshape(-1, *self.network.shapes[self.input][1:]))

    def scored(self, outputs: Floats) -> Score:
        return score(outputs, self.found, self.wanted)

    def met(self, found: Score) -> bool:
        if self.name not in BARS:
            return found.value <= self.most
        least = BARS[self.name] - (OFFICIAL_LOSS if self.source == "int8" else 0.0)
        return found.value >= least and (
            self.source == "int8" or found.agreement >= LEAST_AGREEMENT.get(self.name, 0.0)
        )


def run() -> Result:
    """Quantise the five networks every way, and judge them all on the same samples."""
    folder = models_folder()
    scheme = scheme_for(open_session("diana", settings={}).hardware)
    assert scheme is not None
    rows = [row for name in OFFICIAL_INT8 for row in _rows(folder, name, scheme)]
    return Result(
        claim=(
            "Top-1 in percent (ad: mean squared error) after quantisation to DIANA's digital core "
            "from the float and from the official int8 file, agreement with the float network's "
            f"top-1 (ad: error over the float network's), mean and worst over {SUBSETS} random "
            f"subsets of {SUBSET_SIZE} calibration inputs, and onnxruntime's quantize_static on "
            "the same calibration inputs. Expected from float: "
            + ", ".join(f"{name} {bar}" for name, bar in BARS.items())
            + f", ad {AD_MOST} times float, vww agreeing in 97; from int8 {OFFICIAL_LOSS} points "
            f"less, ad {AD_MOST} times that file."
        ),
        rows=rows,
        met=all(row["met"] != "no" for row in rows),
    )


def _rows(folder: Path, name: str, scheme: Scheme) -> Iterator[dict[str, Cell]]:
    found = sets(folder, name)
    given = _float_case(folder, name, found, scheme)
    yield _row(name, "float", given.scored(given.wanted), 0.0)
    official = folder / name / OFFICIAL_INT8[name]
    file = given.scored(_official(given, integerise(read(official))))
    yield _row(name, "official int8", file, 0.0)
    result, seconds = _quantised(given, found.calibration)
    yield _row(name, "htvm from float", result, seconds, given.met(result))
    yield _subsets(given)
    network = float_network(read(official))
    dequantised = _Case(
        name=name,
        source="int8",
        path=official,
        network=network,
        found=found,
        wanted=given.wanted,
        scheme=scheme,
        most=AD_MOST * file.value,
    )
    result, seconds = _quantised(dequantised, found.calibration)
    yield _row(name, "htvm from int8", result, seconds, dequantised.met(result))
    for kind in ort_static.KINDS:
        result, seconds = _theirs(given, kind)
        yield _row(name, f"onnxruntime {kind}", result, seconds)


def _float_case(folder: Path, name: str, found: Sets, scheme: Scheme) -> _Case:
    path = folder / name / f"{name}_float.onnx"
    network = float_network(read(path))
    shape = network.shapes[network.inputs[0]][1:]
    wanted = output(network, {network.inputs[0]: found.evaluation.reshape(-1, *shape)})
    return _Case(
        name=name,
        source="float",
        path=path,
        network=network,
        found=found,
        wanted=wanted,
        scheme=scheme,
        most=AD_MOST * score(wanted, found, wanted).value,
    )


def _row(
    name: str, how: str, result: Score, seconds: float, met: bool | None = None
) -> dict[str, Cell]:
    return {
        "network": name,
        "how": how,
        "score": f"{result.value:.2f}",
        "agreement": f"{result.agreement:.2f}" if name in BARS else f"{result.agreement:.4f}",
        "seconds": seconds,
        "met": "" if met is None else "yes" if met else "no",
    }


def _subsets(case: _Case) -> dict[str, Cell]:
    """Mean and worst of several draws; the mean must be within the bar."""
    pool = case.found.calibration
    results, seconds = [], 0.0
    for seed in range(SUBSETS):
        size = min(SUBSET_SIZE, len(pool) - 1)
        drawn = np.random.default_rng(seed).choice(len(pool), size, replace=False)
        result, took = _quantised(case, pool[np.sort(drawn)], seed=seed)
        results.append(result)
        seconds += took / SUBSETS
    mean = Score(
        value=float(np.mean([result.value for result in results])),
        agreement=float(np.mean([result.agreement for result in results])),
    )
    worst = (max if case.found.labels is None else min)(result.value for result in results)
    row = _row(case.name, f"htvm, {SUBSETS} subsets", mean, seconds, case.met(mean))
    return {**row, "score": f"{mean.value:.2f}, worst {worst:.2f}"}


def _quantised(case: _Case, calibration: Floats, seed: int = 0) -> tuple[Score, float]:
    """Score of the written file by the integer reference, and seconds to make it."""
    start = time.perf_counter()
    data = checked({case.input: case.shaped(calibration)}, "the benchmark")
    made = quantise(case.network, data, case.scheme, seed=seed)
    model = integer_model(made.integers)
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "quantised.onnx"
        path.write_bytes(model.SerializeToString())
        graph = integerise(read(path))
    held = read_inputs(made.integers, {case.input: case.shaped(case.found.evaluation)})
    inputs = held[case.input] + made.integers.input_zero
    given = _executed(graph, inputs.astype(np.int8))
    return case.scored(given * np.float32(made.integers.output_scale)), seconds


def _official(case: _Case, graph: Graph) -> Floats:
    """Outputs of an int8 file for real inputs."""
    tensor, result = (graph.tensors[names[0]] for names in (graph.inputs, graph.outputs))
    grid, told = tensor.quantization, result.quantization
    assert grid is not None and told is not None
    samples = case.found.evaluation.reshape(-1, *tensor.shape[1:])
    held = np.rint(samples / np.float32(grid.scale[0])) + grid.zero_point
    given = _executed(graph, np.clip(held, -128, 127).astype(np.int8))
    return (given - np.float32(told.zero_point)) * np.float32(told.scale[0])


def _executed(graph: Graph, samples: Array) -> Floats:
    parts = [samples[first : first + _AT_ONCE] for first in range(0, len(samples), _AT_ONCE)]
    results = [execute(graph, {graph.inputs[0]: part})[graph.outputs[0]] for part in parts]
    return np.concatenate(results).astype(np.float32)


def _theirs(case: _Case, kind: str) -> tuple[Score, float]:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "theirs.onnx"
        start = time.perf_counter()
        ort_static.quantise(case.path, file, case.shaped(case.found.calibration), kind)
        seconds = time.perf_counter() - start
        session = onnxruntime.InferenceSession(str(file))
    samples = case.shaped(case.found.evaluation)
    name = session.get_inputs()[0].name
    outputs = np.concatenate([session.run(None, {name: x[None]})[0] for x in samples])
    return case.scored(outputs), seconds
