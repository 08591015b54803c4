"""From everything a run found out to what its report says."""

from __future__ import annotations

from importlib.metadata import version

from htvm.deployment import Deployment
from htvm.dispatch.plan import LayerStep
from htvm.errors import InternalError
from htvm.host.inputs import InputSpec
from htvm.ir.graph import Graph
from htvm.partition.layers import node_macs
from htvm.report import model
from htvm.report.accuracy import accuracy_of
from htvm.report.budget import budget_of
from htvm.report.fidelity import fidelity_of
from htvm.report.layers import layers, numerics
from htvm.schedule.kernels import Kernel

_NO_ESTIMATE = "not stated by the target"


def build_report(run: Deployment) -> model.Report:
    """The report of a run that went at least as far as emitting C."""
    if run.dispatch is None or run.schedule is None or run.memory is None:
        raise InternalError("a report needs a run that planned memory and wrote C")
    return model.Report(
        htvm_version=version("htvm-core"),
        model=_model(run),
        target=_target(run),
        totals=_totals(run),
        layers=layers(run),
        arena=_arena(run),
        verification=verification(run),
        stages=[model.Stage(name=stage.name, summary=stage.summary) for stage in run.stages],
        numerics=numerics(run),
        calibration=_calibration(run),
        budget=budget_of(run),
    )


def _calibration(run: Deployment) -> model.Calibration | None:
    told = run.graph.origin.metadata
    if numerics(run) == "exact":
        return None
    return model.Calibration(
        source=told.get("source", ""),
        data=told.get("calibration", ""),
        engine=told.get("quantized_for", ""),
        by=told.get("quantized_by", ""),
    )


def _arena(run: Deployment) -> list[model.Buffer]:
    if run.memory is None or run.dispatch is None:
        return []
    values = run.dispatch.values
    writers = {values[step.output].buffer: step.name for step in run.dispatch.steps}
    return [
        model.Buffer(
            name=writers.get(block.name, block.name),
            tensor=block.name,
            offset_bytes=block.offset_bytes,
            size_bytes=block.size_bytes,
            first_step=block.first,
            last_step=block.last,
        )
        for block in run.memory.blocks
    ]


def parameter_bytes(graph: Graph) -> int:
    """Bytes of weights and biases as the network holds them."""
    return sum(tensor.size_bytes for tensor in graph.tensors.values() if tensor.is_constant)


def _model(run: Deployment) -> model.Model:
    origin = run.graph.origin
    return model.Model(
        name=run.graph.name,
        file=origin.path,
        format=origin.format,
        sha256=origin.sha256,
        details=dict(origin.details),
        macs=sum(node_macs(run.graph, node) for node in run.graph.nodes),
        params_bytes=parameter_bytes(run.graph),
    )


def _layer_steps(run: Deployment) -> tuple[LayerStep, ...]:
    return run.dispatch.layers if run.dispatch else ()


def _target(run: Deployment) -> model.Target:
    hardware = run.hardware
    return model.Target(
        name=run.target.name,
        description=hardware.description,
        distribution=run.target.distribution,
        version=run.target.version,
        clock_hz=hardware.clock_hz,
        overrides=dict(run.request.settings),
        contested=[
            model.Contested(key=key, used=value, sources=text)
            for key, text in hardware.contested.items()
            if (value := _look_up(run, key)) is not None
        ],
    )


def _look_up(run: Deployment, key: str) -> int | float | str | bool | None:
    """Value of a hardware key such as ``engine.cpu.core`` or ``memory.l1.size_bytes``."""
    group, _, rest = key.partition(".")
    name, _, field = rest.partition(".")
    if group == "engine" and name in run.hardware.engines:
        return run.hardware.engines[name].parameters.get(field)
    if group == "memory" and name in run.hardware.memories:
        value: int | None = getattr(run.hardware.memories[name], field, None)
        return value
    return None


def _totals(run: Deployment) -> model.Totals:
    cycles = run.dispatch.cycles if run.dispatch else 0
    macs = {node.name: node_macs(run.graph, node) for node in run.graph.nodes}
    offloaded = sum(
        macs.get(node.name, 0)
        for step in _layer_steps(run)
        if step.engine != "cpu"
        for node in step.layer.nodes
    )
    error = run.hardware.engines["cpu"].parameters.get("estimate_error", _NO_ESTIMATE)
    return model.Totals(
        latency_cycles=cycles,
        latency_ms=1000 * cycles / run.hardware.clock_hz,
        latency_error=str(error),
        macs_offloaded_fraction=offloaded / max(sum(macs.values()), 1),
        memory=_memory(run),
    )


def _memory(run: Deployment) -> dict[str, model.MemoryUse]:
    if run.memory is None or run.schedule is None:
        return {}
    budget = run.memory.budget
    uses = {
        run.memory.memory: model.MemoryUse(
            used_bytes=budget.total_bytes,
            capacity_bytes=budget.capacity_bytes,
            parts={
                "arena": budget.arena_bytes,
                "weights": budget.constant_bytes,
                "input and output": budget.io_bytes,
                "code (estimated)": budget.code_bytes,
                "stack": budget.stack_bytes,
            },
            arena_lower_bound_bytes=run.memory.lower_bound_bytes,
        )
    }
    for name, memory in run.hardware.memories.items():
        if name != run.memory.memory:
            peak = max((_local_bytes(kernel, name) for kernel in run.schedule.kernels), default=0)
            uses[name] = model.MemoryUse(used_bytes=peak, capacity_bytes=memory.size_bytes)
    return uses


def _local_bytes(kernel: Kernel, memory: str) -> int:
    """Highest byte of a scratchpad the kernel uses."""
    if kernel.program is None:
        return 0
    return max(
        (
            buffer.offset_bytes + buffer.size_bytes
            for buffer in kernel.program.buffers.values()
            if buffer.memory == memory and buffer.role == "local"
        ),
        default=0,
    )


def verification(run: Deployment) -> model.Verification:
    """The verdict and what it rests on."""
    check = run.verification
    if check is None:
        why = next(iter(run.notes), "not asked for")
        return model.Verification(
            verdict="not run", reference="integer reference (numpy)", reason=why
        )
    first = check.first_divergence
    specs = run.request.verify.given if run.request.verify else ()
    return model.Verification(
        verdict="mismatch" if check.mismatches else "exact",
        reference=check.reference,
        compiler=check.compiler,
        sanitized=check.sanitized,
        inputs=[_inputs(kind, count, specs, run) for kind, count in check.samples.items() if count],
        layers=len(check.layers),
        elements=check.elements,
        mismatches=check.mismatches,
        first_divergence=None
        if first is None
        else model.Divergence(
            layer=first.layer,
            index=list(first.index),
            expected=first.expected,
            seen=first.seen,
            input=first.inputs,
        ),
        accuracy=accuracy_of(run),
        fidelity=fidelity_of(run),
    )


def _inputs(kind: str, count: int, specs: tuple[InputSpec, ...], run: Deployment) -> model.Inputs:
    if kind != "given" or not specs:
        seed = run.request.verify.seed if run.request.verify else 0
        source = f"seed {seed}" if kind == "random" else "least, greatest and alternating values"
        return model.Inputs.model_validate({"kind": kind, "source": source, "samples": count})
    first = specs[0]
    return model.Inputs(
        kind="given",
        source=", ".join(spec.text for spec in specs),
        samples=count,
        layout=first.layout,
        scale=first.scale,
        offset=first.offset,
        taken=", ".join(dict.fromkeys(one.taken for s in run.given for one in s.readings.values())),
    )
