"""The C htvm-cpu generates against TVM's default lowering and against TFLite Micro."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.networks import official_int8
from benchmarks.result import Cell, Result
from benchmarks.runners import FLAGS, Ints, Runner, htvm_cpu, tflite_micro, tvm_default
from benchmarks.timing import interleaved, ratio
from htvm.frontend import integerise, read
from htvm.ir.graph import Graph
from htvm.numerics import random_inputs

LEAST_RATIO = 3.0
_SAMPLES = 4


def run() -> Result:
    """Time one inference of every official int8 network."""
    with TemporaryDirectory() as folder:
        rows = [_row(name, path, Path(folder)) for name, path in official_int8().items()]
    met = all(
        row["same results"] == "yes"
        and float(row["tvm / htvm"]) >= LEAST_RATIO
        and float(row["tflm / htvm"]) >= LEAST_RATIO
        for row in rows
    )
    return Result(
        claim=(
            "One inference on this machine, one thread: C generated for the target cpu; the same "
            "integer graph through TVM's default, unscheduled lowering, same printer, same flags "
            f"(cc {' '.join(FLAGS)}); PyPI's tflite-micro. Expected: identical results, and at "
            f"least {LEAST_RATIO:g} times faster than both."
        ),
        rows=rows,
        met=met,
    )


def _row(name: str, path: Path, folder: Path) -> dict[str, Cell]:
    graph = integerise(read(path))
    runners = {
        "htvm": htvm_cpu(path, _subfolder(folder, f"{name}-htvm")),
        "tvm": tvm_default(graph, _subfolder(folder, f"{name}-tvm")),
        "tflm": tflite_micro(path),
    }
    samples = _samples(graph)
    seconds = interleaved(
        {label: runner.contender(samples[0]) for label, runner in runners.items()}
    )
    return {
        "network": name,
        **{f"{label} us": median(times) * 1e6 for label, times in seconds.items()},
        "tvm / htvm": ratio(seconds["tvm"], seconds["htvm"]),
        "tflm / htvm": ratio(seconds["tflm"], seconds["htvm"]),
        "same results": "yes" if _agree(list(runners.values()), samples) else "no",
    }


def _samples(graph: Graph) -> list[Ints]:
    (name,) = graph.inputs
    stacked = random_inputs(graph, _SAMPLES, seed=0)[name]
    return [sample[np.newaxis].astype(np.int8) for sample in stacked]


def _agree(runners: list[Runner], samples: list[Ints]) -> bool:
    first, *others = runners
    expected = [first(sample) for sample in samples]
    return all(
        np.array_equal(runner(sample), wanted)
        for runner in others
        for sample, wanted in zip(samples, expected, strict=True)
    )


def _subfolder(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    return path
