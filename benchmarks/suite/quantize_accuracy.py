"""What calibration costs in accuracy, and how onnxruntime's own quantisation compares."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks import ort_static
from benchmarks.networks import OFFICIAL_INT8, models_folder
from benchmarks.result import Cell, Result
from benchmarks.sets import Floats, Sets, score, sets
from htvm.frontend import integerise, read
from htvm.numerics import execute
from htvm.plugins.session import open_session
from htvm.quantize.calibration import checked
from htvm.quantize.execute import output
from htvm.quantize.integer import read_inputs
from htvm.quantize.network import FloatNetwork
from htvm.quantize.quantise import quantise
from htvm.quantize.scheme import Scheme, scheme_for
from htvm.quantize.source.read import float_network
from htvm.quantize.write.integer import integer_model

BARS = {"resnet8": 86.7, "dscnn": 89.8, "vww": 87.5, "sww": 90.0}
"""Least top-1 accuracy from float, percent."""
AD_MOST = 1.03
"""Greatest mean squared error of ``ad``, as a multiple of the float network's."""
OFFICIAL_LOSS = 0.7
"""Points that may be lost beyond that when the source is the official int8 file."""
SUBSETS, SUBSET_SIZE = 5, 50


@dataclass(frozen=True, kw_only=True, eq=False)
class _Case:
    name: str
    network: FloatNetwork
    found: Sets
    scheme: Scheme

    @property
    def input(self) -> str:
        return self.network.inputs[0]

    def shaped(self, samples: Floats) -> Floats:
        return np.ascontiguousarray(samples.reshape(-1, *self.network.shapes[self.input][1:]))


def run() -> Result:
    """Quantise the five networks every way, and judge them all on the same samples."""
    folder = models_folder()
    scheme = scheme_for(open_session("diana", settings={}).hardware)
    assert scheme is not None
    rows = []
    for name, official in OFFICIAL_INT8.items():
        path = folder / name / f"{name}_float.onnx"
        found = sets(folder, name)
        case = _case(name, path, found, scheme)
        rows += [_float(case), _ours(case, "float", found.calibration), _subsets(case)]
        rows.append(
            _ours(_case(name, folder / name / official, found, scheme), "int8", found.calibration)
        )
        rows += [_theirs(case, path, kind) for kind in ort_static.KINDS]
    return Result(
        claim=(
            "Top-1 in percent (ad: mean squared error) after quantisation to DIANA's digital core "
            "from the float and from the official int8 file, mean and worst over "
            f"{SUBSETS} random subsets of {SUBSET_SIZE} calibration inputs, and onnxruntime's "
            "quantize_static on the same calibration inputs. Expected from float: "
            + ", ".join(f"{name} {bar}" for name, bar in BARS.items())
            + f", ad {AD_MOST} times float; from int8 {OFFICIAL_LOSS} points less."
        ),
        rows=rows,
        met=all(row["met"] != "no" for row in rows),
    )


def _case(name: str, path: Path, found: Sets, scheme: Scheme) -> _Case:
    return _Case(name=name, network=float_network(read(path)), found=found, scheme=scheme)


def _row(case: _Case, how: str, result: float, seconds: float, met: bool | None) -> dict[str, Cell]:
    verdict = "" if met is None else "yes" if met else "no"
    shown = f"{result:.2f}"
    return {"network": case.name, "how": how, "score": shown, "seconds": seconds, "met": verdict}


def _float_score(case: _Case) -> float:
    outputs = output(case.network, {case.input: case.shaped(case.found.evaluation)})
    return score(case.name, outputs, case.found)


def _float(case: _Case) -> dict[str, Cell]:
    return _row(case, "float", _float_score(case), 0.0, None)


def _ours(case: _Case, source: str, calibration: Floats) -> dict[str, Cell]:
    result, seconds = _quantised(case, calibration)
    return _row(case, f"htvm from {source}", result, seconds, _met(case, source, result))


def _met(case: _Case, source: str, result: float) -> bool:
    if case.name not in BARS:
        # The official int8 file of ad is a tenth worse than float before anything is done to it.
        return result <= AD_MOST * _float_score(case)
    return result >= BARS[case.name] - (OFFICIAL_LOSS if source == "int8" else 0.0)


def _subsets(case: _Case) -> dict[str, Cell]:
    """Mean and worst of several draws."""
    pool = case.found.calibration
    results, seconds = [], 0.0
    for seed in range(SUBSETS):
        size = min(SUBSET_SIZE, len(pool) - 1)
        drawn = np.random.default_rng(seed).choice(len(pool), size, replace=False)
        result, took = _quantised(case, pool[np.sort(drawn)], seed=seed)
        results.append(result)
        seconds += took / SUBSETS
    worst = max(results) if case.found.labels is None else min(results)
    row = _row(case, f"htvm, {SUBSETS} subsets", float(np.mean(results)), seconds, None)
    return {**row, "score": f"{np.mean(results):.2f}, worst {worst:.2f}"}


def _quantised(case: _Case, calibration: Floats, seed: int = 0) -> tuple[float, float]:
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
    given = execute(graph, {graph.inputs[0]: inputs.astype(np.int8)})[graph.outputs[0]]
    outputs = given.astype(np.float32) * np.float32(made.integers.output_scale)
    return score(case.name, outputs, case.found), seconds


def _theirs(case: _Case, path: Path, kind: str) -> dict[str, Cell]:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "theirs.onnx"
        start = time.perf_counter()
        ort_static.quantise(path, file, case.shaped(case.found.calibration), kind)
        seconds = time.perf_counter() - start
        session = onnxruntime.InferenceSession(str(file))
    samples = case.shaped(case.found.evaluation)
    name = session.get_inputs()[0].name
    outputs = np.concatenate([session.run(None, {name: x[None]})[0] for x in samples])
    result = score(case.name, outputs, case.found)
    return _row(case, f"onnxruntime {kind}", result, seconds, None)
