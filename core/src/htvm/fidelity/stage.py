"""Compares a network with its source, every tensor they share, on the user's samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from htvm.fidelity.losses import losses
from htvm.fidelity.meaning import meanings
from htvm.fidelity.result import Fidelity, TensorError
from htvm.fidelity.runtimes.find import runtime_for
from htvm.fidelity.tally import Tally
from htvm.fidelity.votes import Votes, names_classes
from htvm.frontend.source import Source
from htvm.host.inputs import InputSet
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph
from htvm.ir.ops import FloatConv2d, FloatDense, Quantize
from htvm.ir.tensor import Array
from htvm.numerics import apply, execute
from htvm.numerics.sqnr import decibels
from htvm.quantization.write.meanings import stored_names

BATCH_SAMPLES = 16
_VALUES = frozenset({DType.INT8, DType.UINT8, DType.INT16, DType.FLOAT32})
"""Types of tensors that sources show; the sums before a requantisation they do not."""
Progress = Callable[[int, int], None]


def compare(
    graph: Graph,
    source: Source,
    given: InputSet,
    *,
    same_network: bool,
    progress: Progress | None = None,
) -> Fidelity:
    """A network against its source.

    Args:
        graph: The integer network, which the generated C was found equal to.
        source: The file the user gave.
        given: Samples.
        same_network: Whether ``graph`` was read from ``source``; otherwise it was quantised from
            it.
        progress: Called with the samples compared so far and those there are.

    Raises:
        RuntimeMissing: The source's runtime is not installed, or does not take the network.
    """
    carried = same_network and graph.origin.format == "onnx-integer"
    tallies = _tallies(graph, source, same=same_network, carried=carried)
    mixed = same_network and any(isinstance(n.op, FloatConv2d | FloatDense) for n in graph.nodes)
    names = {name: name for name in tallies} if same_network else _counterparts(graph, tallies)
    runtime = runtime_for(source, set(names.values()), carried=carried, mixed=mixed)
    votes = Votes(labels=given.labels) if names_classes(graph) else None
    for number, ours in enumerate(_computed(graph, given)):
        theirs = runtime.run({name: array[number, None] for name, array in given.source.items()})
        for name, counterpart in list(names.items()):
            shown = theirs.get(counterpart)
            if shown is not None and not tallies[name].add(ours[name], shown):
                del tallies[name], names[name]
        if votes is not None:
            votes.add(ours[graph.outputs[0]], theirs[runtime.outputs[0]].array)
        if progress is not None and number % BATCH_SAMPLES == 0:
            progress(number + 1, given.samples)
    rounding = _inputs(graph, given)
    if not same_network:
        rounding |= _first_steps(graph, given)
    return Fidelity(
        runtime=runtime.title,
        source=source.file_name,
        samples=given.samples,
        same_network=same_network,
        agreement=None if votes is None else votes.agreement,
        tensors=_errors(graph, tallies, rounding),
    )


def _tallies(graph: Graph, source: Source, *, same: bool, carried: bool) -> dict[str, Tally]:
    last = source.format == "tflite"
    return {
        name: Tally(
            tensor=graph.tensors[name],
            meaning=meaning,
            channels_last=last and name not in graph.outputs,
            same=same,
            carried=carried,
        )
        for name, meaning in meanings(graph).items()
        if graph.tensors[name].dtype in _VALUES
    }


def _counterparts(graph: Graph, tallies: Mapping[str, Tally]) -> dict[str, str]:
    """The source's tensor for each of ours; integers go before the reals they stand for."""
    stored = stored_names(graph.origin)
    told = {ours: name for ours, name in stored.items() if ours in tallies}
    twice = set(told.values())
    return {name: told.get(name, name) for name in tallies if name not in twice}


def _computed(graph: Graph, given: InputSet) -> Iterator[Mapping[str, Array]]:
    """Every tensor of the network for one sample after another."""
    for start in range(0, given.samples, BATCH_SAMPLES):
        count = min(BATCH_SAMPLES, given.samples - start)
        found = execute(graph, {n: a[start : start + count] for n, a in given.arrays.items()})
        for index in range(count):
            yield {name: _part(array, index, count) for name, array in found.items()}


def _part(array: Array, index: int, count: int) -> Array:
    size = len(array) // count
    return array[index * size : (index + 1) * size]


def _errors(
    graph: Graph, tallies: Mapping[str, Tally], rounding: Mapping[str, float | None]
) -> tuple[TensorError, ...]:
    measured = {name: tally for name, tally in tallies.items() if tally.elements}
    ratios = {name: tally.sqnr_db for name, tally in measured.items()}
    lost = losses(graph, {**rounding, **ratios})
    return tuple(
        TensorError(
            tensor=name,
            elements=tally.elements,
            max_lsb=tally.most if tally.tensor.dtype.is_integer else None,
            mean_lsb=tally.steps / tally.elements if tally.tensor.dtype.is_integer else None,
            sqnr_db=ratios[name],
            lost_db=lost[name],
        )
        for name, tally in measured.items()
    )


def _inputs(graph: Graph, given: InputSet) -> dict[str, float | None]:
    """What rounding the samples to the inputs' integers costs."""
    found = {}
    for name, real in given.reals.items():
        stated = graph.tensors[name].quantization
        if stated is not None and graph.tensors[name].dtype.is_integer:
            found[name] = _ratio(real, given.arrays[name], stated.scale[0], stated.zero_point)
    return found


def _first_steps(graph: Graph, given: InputSet) -> dict[str, float | None]:
    """The same where the network takes real numbers and rounds them itself."""
    found = {}
    for node in graph.nodes:
        if isinstance(node.op, Quantize) and node.inputs[0] in given.arrays:
            real, op = given.arrays[node.inputs[0]], node.op
            found[node.output] = _ratio(real, apply(op, real), float(op.scale[0]), op.zero_point)
    return found


def _ratio(real: Array, integers: Array, scale: float, zero_point: int) -> float | None:
    """Power of real numbers over that of what rounding them to integers changed."""
    peak = max(1.0, float(np.abs(real).max(initial=0.0)))  # its square may be too large
    wanted = real.astype(np.float64) / peak
    error = (integers.astype(np.float64) - zero_point) * (scale / peak) - wanted
    return decibels(float(np.sum(wanted**2)), float(np.sum(error**2)))
