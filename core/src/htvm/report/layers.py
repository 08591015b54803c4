"""Every step of a deployed network as its report shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from htvm.deployment import Deployment
from htvm.dispatch.plan import ConvertStep, LayerStep, Step, Value
from htvm.errors import InternalError
from htvm.ir.ops import FloatConv2d, FloatDense, Quantize
from htvm.ir.requant import Requant
from htvm.report import model
from htvm.report.budget import spared
from htvm.report.reasons import left_over, reason, rewriting, wish

_QUANTISED_BY = "quantized_by"
"""The property by which ``htvm quantize`` marks what it writes."""


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
    notes, others = rewriting(run, step)
    return {
        "kind": "layer",
        "source_nodes": list(dict.fromkeys(n for node in step.layer.nodes for n in node.source)),
        "op": step.layer.pattern,
        "tile": tiling.summary,
        "tiles": tiling.tiles,
        "runner_up": tiling.runner_up,
        "rewrites": [*notes, *tiling.rewrites],
        "numerics": _layer_numerics(run, step),
        "alternatives": [
            model.Alternative(
                engine=other.engine,
                pattern=other.pattern,
                cycles=other.cycles,
                reason=other.reason or None,
            )
            for other in others
        ],
        "reason": wish(run, step)
        or left_over(step, notes)
        or spared(run, step)
        or reason(replace(step, alternatives=others)),
    }


def _layer_numerics(run: Deployment, step: LayerStep) -> Literal["exact", "calibrated"]:
    """Calibration chose numbers only where a layer rounds, and none where it is left in float."""
    ops = [node.op for node in step.layer.nodes]
    own = any(isinstance(op, FloatConv2d | FloatDense) for op in ops)
    rounds = any(isinstance(op, Requant | Quantize) for op in ops)
    return numerics(run) if rounds and not own else "exact"


def numerics(run: Deployment) -> Literal["exact", "calibrated"]:
    """Whether some of the numbers are not those of the network that was trained."""
    made_here = run.request.calibration is not None
    return "calibrated" if made_here or _QUANTISED_BY in run.graph.origin.metadata else "exact"
