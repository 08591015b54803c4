"""From everything a run found out to what its report says."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

from htvm.deployment import Deployment
from htvm.dispatch.plan import Alternative, ConvertStep, LayerStep, Step, Value
from htvm.errors import InternalError
from htvm.host.inputs import InputSpec
from htvm.ir.graph import Graph
from htvm.partition.layers import node_macs
from htvm.report import model
from htvm.report.accuracy import accuracy_of
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
        arena=[
            model.Buffer(
                name=block.name,
                offset_bytes=block.offset_bytes,
                size_bytes=block.size_bytes,
                first_step=block.first,
                last_step=block.last,
            )
            for block in run.memory.blocks
        ],
        verification=verification(run),
        stages=[model.Stage(name=stage.name, summary=stage.summary) for stage in run.stages],
    )


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


def layers(run: Deployment) -> list[model.Layer]:
    """Every step of the network in execution order."""
    if run.dispatch is None:
        return []
    counted = {
        check.name: check.cycles
        for check in (run.verification.layers if run.verification else ())
        if check.cycles
    }
    return [_layer(run, step, counted.get(step.name)) for step in run.dispatch.steps]


def _operand(value: Value) -> model.Operand:
    return model.Operand(
        name=value.tensor.name,
        shape=list(value.tensor.shape),
        dtype=value.tensor.dtype.value,
        layout=value.layout.name,
    )


def _layer(run: Deployment, step: Step, counted: int | None) -> model.Layer:
    if run.dispatch is None:
        raise InternalError("a layer's report needs a dispatched network")
    values = run.dispatch.values
    cost = step.cost
    macs = step.layer.macs if isinstance(step, LayerStep) else 0
    rate = macs / cost.total if cost.total else 0.0
    peak = run.hardware.engines[step.engine].parameters.get("peak_macs_per_cycle")
    shared = {
        "name": step.name,
        "engine": step.engine,
        "macs": macs,
        "cycles": model.Cycles(
            total=cost.total,
            compute=cost.compute,
            transfer=cost.transfer,
            overhead=cost.overhead,
        ),
        "cycles_emulated": counted if step.engine != "cpu" else None,
        "macs_per_cycle": rate,
        "utilization": rate / float(peak) if peak and macs else None,
        "inputs": [_operand(values[name]) for name in step.inputs],
        "output": _operand(values[step.output]),
    }
    return model.Layer.model_validate(shared | _specific(run, step))


def _specific(run: Deployment, step: Step) -> dict[str, object]:
    """What differs between layers and conversions."""
    if isinstance(step, ConvertStep):
        values = run.dispatch.values if run.dispatch else {}
        source, target = values[step.source].layout.name, values[step.output].layout.name
        return {
            "kind": "conversion",
            "source_nodes": [],
            "op": "layout",
            "tile": f"{source} → {target}",
            "tiles": 1,
            "runner_up": "",
            "rewrites": [],
            "alternatives": [],
            "reason": f"the next layer reads {target}, this tensor is in {source}",
        }
    tiling = step.tiling
    notes, others = _rewriting(run, step)
    return {
        "kind": "layer",
        "source_nodes": list(dict.fromkeys(n for node in step.layer.nodes for n in node.source)),
        "op": step.layer.pattern,
        "tile": tiling.summary,
        "tiles": tiling.tiles,
        "runner_up": tiling.runner_up,
        "rewrites": [*notes, *tiling.rewrites],
        "alternatives": [
            model.Alternative(
                engine=other.engine,
                pattern=other.pattern,
                cycles=other.cycles,
                reason=other.reason or None,
            )
            for other in others
        ],
        "reason": _wish(run, step)
        or _left_over(step, notes)
        or reason(replace(step, alternatives=others)),
    }


def _wish(run: Deployment, step: LayerStep) -> str:
    """The option by which the user put the layer where it is; empty if none did."""
    names = {step.name, *(name for node in step.layer.nodes for name in (node.name, *node.source))}
    wishes = (
        f"--pin {name}={engine}"
        for name, engine in run.request.pins.items()
        if name in names and engine == step.engine
    )
    return next((f"put on {step.engine} by {wish}" for wish in wishes), "")


def _rewriting(run: Deployment, step: LayerStep) -> tuple[tuple[str, ...], tuple[Alternative, ...]]:
    """Exact rewrites the layer came from, and its alternatives with what kept them from it."""
    if run.rewritten is None:
        return (), step.alternatives
    names = [node.name for node in step.layer.nodes]
    told = (text for name in names for text in run.rewritten.notes.get(name, ()))
    why = {engine: text for (name, engine), text in run.rewritten.refusals.items() if name in names}
    return tuple(dict.fromkeys(told)), tuple(
        replace(other, reason=f"{other.reason}; {why[other.engine]}")
        if other.cycles is None and other.engine in why
        else other
        for other in step.alternatives
    )


def _left_over(step: LayerStep, notes: tuple[str, ...]) -> str:
    """What the host does for a rewrite that let an accelerator have the rest."""
    if not notes or step.layer.macs or step.engine != "cpu":
        return ""
    return f"what a rewrite leaves to the host: {notes[0]}"


def reason(step: LayerStep) -> str:
    """Why this engine runs this layer, in one sentence."""
    able = [other for other in step.alternatives if other.cycles is not None]
    unable = [other for other in step.alternatives if other.cycles is None]
    if able:
        best = min(able, key=lambda other: other.cycles or 0)
        return (
            f"{step.engine} with {step.cost.total:,} cycles makes the whole network fastest; "
            f"{best.engine} ({best.pattern}) alone would take {best.cycles:,}"
        )
    if unable:
        told = min(unable, key=lambda other: other.engine == step.engine)
        return f"only {step.engine} takes it: {told.engine} ({told.pattern}): {told.reason}"
    return f"only {step.engine} has a pattern for it"


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
    )
