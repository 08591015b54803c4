"""One line about the value of each stage, for the progress display."""

from __future__ import annotations

from collections import Counter

from htvm.deployment import Deployment
from htvm.dispatch.plan import ConvertStep
from htvm.frontend import Source
from htvm.partition.layers import node_macs
from htvm.quantization.api import Outcome

_TIGHT = 0.1
"""Part of the main memory below which what is left is told: an application needs some too."""


def source(found: Source) -> str:
    """The file, its format and size."""
    return f"{found.file_name}  {found.format} · {_size(len(found.data))}"


def quantised(outcome: Outcome) -> str:
    """How the network was quantised and what it costs."""
    return f"{outcome.way} · {_count(outcome.samples, 'sample')} · SQNR {outcome.sqnr_db:.1f} dB"


def graph(done: Deployment) -> str:
    """Size and weight of the integer network."""
    network = done.graph
    macs = sum(node_macs(network, node) for node in network.nodes)
    weights = sum(tensor.size_bytes for tensor in network.tensors.values() if tensor.is_constant)
    parts = (network.origin.format, _count(len(network.nodes), "node"), f"{_many(macs)} MAC")
    return " · ".join((*parts, f"{_size(weights)} weights"))


def rewritten(done: Deployment) -> str:
    """Whether the user's numbers were changed, and how many layers compute them otherwise."""
    count = done.rewritten.changes if done.rewritten else 0
    other = f" · {_count(count, 'layer')} in an engine's arithmetic" if count else ""
    if done.request.calibration is not None:
        return f"calibrated: the network's numbers were changed{other}"
    told = done.graph.origin.metadata
    if "quantized_by" in told:
        made = f"{told['quantized_by']} chose its numbers from {told.get('source', 'another')}"
        return f"exact: no number of the file changes; {made}{other}"
    return f"exact: no number of the network changes{other}"


def matches(done: Deployment) -> str:
    """How much fits."""
    if done.matches is None:
        return ""
    engines = Counter(layer.engine for layer in done.matches.layers)
    counts = " · ".join(f"{count} for {engine}" for engine, count in sorted(engines.items()))
    return f"candidate layers: {counts}"


def dispatch(done: Deployment) -> str:
    """What runs where."""
    if done.dispatch is None:
        return ""
    engines = Counter(step.engine for step in done.dispatch.layers)
    parts = [f"{_count(count, 'layer')} on {engine}" for engine, count in engines.most_common()]
    copies = sum(isinstance(step, ConvertStep) for step in done.dispatch.steps)
    return " · ".join(
        [*parts, _count(copies, "conversion"), f"{_many(done.dispatch.cycles)} cycles"]
    )


def schedule(done: Deployment) -> str:
    """How much was scheduled and packed."""
    if done.schedule is None:
        return ""
    kernels = done.schedule.kernels
    tiles = sum(len(kernel.program.tiles) for kernel in kernels if kernel.program)
    packed = _size(done.schedule.constant_bytes)
    return f"{_count(tiles, 'tile')} checked · {packed} packed constants"


def memory(done: Deployment) -> str:
    """The arena and the whole against what there is."""
    if done.memory is None:
        return ""
    plan, budget = done.memory, done.memory.budget
    free = budget.capacity_bytes - budget.total_bytes
    more = f" · {_size(free)} left: see --set memory.{plan.memory}.size_bytes"
    return (
        f"arena {_size(plan.arena_bytes)} (lower bound {_size(plan.lower_bound_bytes)}) · in all "
        f"{_size(budget.total_bytes)} of {_size(budget.capacity_bytes)} {plan.memory}"
        f"{more if free < budget.capacity_bytes * _TIGHT else ''}"
    )


def project(done: Deployment) -> str:
    """Number of files."""
    return _count(len(done.project.files), "file") if done.project else ""


def verification(done: Deployment) -> str:
    """The outcome."""
    result = done.verification
    if result is None:
        return "left out"
    count = sum(result.samples.values())
    if result.first_divergence is not None:
        return f"{result.mismatches} of {result.elements} elements differ"
    layers = len(result.layers)
    proved = f"all {layers} layers" if layers > 1 else "the layer"
    return f"{proved} bit-exact on the host, {_count(count, 'sample')}, twice each"


def fidelity(done: Deployment) -> str:
    """How near the network is to its source; nothing if they were not compared."""
    found = done.fidelity
    if found is None:
        return ""
    errors = [error.sqnr_db for error in found.tensors if error.sqnr_db is not None]
    count = len(found.tensors)
    told = f"{count - len(errors)} of {count} tensors equal in every element"
    if errors and not found.same_network:
        told = f"{_count(count, 'tensor')}, {min(errors):.1f} dB at the least"
    return f"{found.source} in {found.runtime} · {told}"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _size(count: int) -> str:
    return f"{count} B" if count < 1024 else f"{count / 1024:.0f} KiB"


def _many(count: int) -> str:
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.1f} {unit}"
    return str(count)
