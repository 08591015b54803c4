"""The verification stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from htvm.codegen.project import Project
from htvm.deployment import VerifyOptions
from htvm.dispatch.plan import Dispatch, LayerStep
from htvm.errors import MismatchError
from htvm.host.compare import Bytes, Compared, Dump, compare, dumps, ends, totals
from htvm.host.compiler import Compiler, build_library
from htvm.host.inputs import InputSet
from htvm.host.process import Answer, Worker, sanitizer_runtime, worker
from htvm.host.result import Divergence, Verification
from htvm.host.samples import Batch, Samples, batches, samples
from htvm.host.shim import sizes, verification_build
from htvm.ir.graph import Graph
from htvm.ir.tensor import Array
from htvm.memory.plan import MemoryPlan
from htvm.numerics import execute
from htvm.schedule.kernels import Schedule

REFERENCE = "htvm.numerics, the integer graph executed by numpy"
BATCH_BYTES = 1 << 25
BATCH_SAMPLES = 32
LEAST_LIMIT_S = 60.0
SECONDS_PER_STEP = 1e-6
"""Far more than an emulated or sanitized multiplication takes on a slow machine."""


def verify(
    schedule: Schedule,
    memory: MemoryPlan,
    project: Project,
    options: VerifyOptions,
    compiler: Compiler,
    *,
    original: Graph | None = None,
    given: Sequence[InputSet] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Run the generated C on this machine and compare every layer with the reference.

    Every sample runs twice in a row in one process: first with a soiled arena, then as the first
    run left it.

    Args:
        schedule: What runs.
        memory: Where.
        project: The C.
        options: Which samples, and how.
        compiler: The host's.
        original: The network before it was rewritten, which is the reference for every tensor that
            it names.
        given: The user's own samples.
        progress: Called with the samples compared so far and those there are in all.

    Raises:
        ToolError: The compiler failed.
        MismatchError: E402 the generated C crashed, E403 it broke a rule of the emulated hardware
            or wrote outside its buffers, E404 it did not come to an end. Differing elements are
            returned, not raised.
    """
    graph = schedule.dispatch.graph
    groups = samples(graph, options, given)
    count = sum(group.count for group in groups)
    if options.sanitize:
        sanitizer_runtime(compiler)
    build = verification_build(schedule, memory, project, sanitize=options.sanitize)
    library = build_library(build, compiler)
    tally = _Tally(found=dumps(schedule.dispatch), ends=ends(schedule.dispatch), references=[graph])
    if original is not None and original.nodes is not graph.nodes:
        tally.references.append(original)
    plan = sizes(schedule)
    most = max(1, min(BATCH_SAMPLES, BATCH_BYTES // max(1, plan.result)))
    limit_s = options.timeout_s or longest_layer_s(schedule.dispatch)
    with worker(library, plan, compiler, sanitize=options.sanitize, limit_s=limit_s) as running:
        for batch in batches(graph, groups, most):
            tally.add(batch, _run(running, graph, batch, tally.names))
            if progress is not None:
                progress(tally.samples, count)
    counted = tally.cycles if project.runtime.cycles else None
    return Verification(
        reference=REFERENCE,
        compiler=compiler.version,
        sanitized=options.sanitize,
        samples=_counts(groups),
        layers=totals(tally.found, tally.compared, counted),
        first_divergence=tally.first,
        outputs={name: np.concatenate(parts) for name, parts in tally.outputs.items()},
    )


def longest_layer_s(plan: Dispatch) -> float:
    """Seconds after which a layer that has not ended never will, by the work of the largest."""
    work = [
        step.cost.total + (step.layer.macs if isinstance(step, LayerStep) else 0)
        for step in plan.steps
    ]
    return LEAST_LIMIT_S + SECONDS_PER_STEP * max(work, default=0)


def _counts(groups: Sequence[Samples]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for group in groups:
        counts[group.kind] = counts.get(group.kind, 0) + group.count
    return counts


def _run(running: Worker, graph: Graph, batch: Batch, names: tuple[str, ...]) -> Answer:
    answer = running.run(batch.sample_bytes(graph), names)
    if answer.fault:
        index, _, what = answer.fault.partition(" ")
        raise MismatchError(
            f"layer {names[int(index)]} breaks a rule on the emulated hardware",
            code="E403",
            seen=what,
            hint="report this: it is a bug of htvm or of the target",
        )
    return answer


@dataclass(kw_only=True, eq=False)
class _Tally:
    """What the batches so far came to."""

    found: tuple[Dump, ...]
    ends: tuple[Dump, ...]
    references: list[Graph]
    compared: list[Mapping[str, Compared]] = field(default_factory=list)
    outputs: dict[str, list[Array]] = field(default_factory=dict)
    cycles: tuple[int, ...] = ()
    samples: int = 0
    first: Divergence | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the steps."""
        return tuple(dump.name for dump in self.found)

    def add(self, batch: Batch, answer: Answer) -> None:
        """Compare a batch."""
        expected = dict(batch.arrays)
        for graph in self.references:
            expected.update(execute(graph, batch.arrays))
        runs = np.frombuffer(b"".join(answer.runs), dtype=np.uint8).reshape(len(answer.runs), -1)
        result = {
            dump.name: compare(dump, runs, expected[dump.value.tensor.name], batch.labels)
            for dump in self.found
        }
        for dump in self.ends:
            end = compare(dump, runs, expected[dump.value.tensor.name], batch.labels)
            result[dump.name] = result[dump.name].joined(end)
        firsts = (compared.first for compared in result.values())
        self.first = self.first or next((first for first in firsts if first), None)
        self.compared.append(result)
        self.samples += len(batch.labels)
        self.cycles = answer.cycles
        if batch.kind == "given":
            self._keep(self.references[0], runs[::2])

    def _keep(self, graph: Graph, runs: Bytes) -> None:
        for name, end in zip(graph.outputs, self.ends, strict=True):
            tensor = end.value.tensor
            part = np.ascontiguousarray(runs[:, end.start : end.start + tensor.size_bytes])
            shaped = part.view(tensor.dtype.numpy).reshape(len(part), *tensor.shape[1:])
            self.outputs.setdefault(name, []).append(shaped)
