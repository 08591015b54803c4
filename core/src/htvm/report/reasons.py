"""Why a layer runs where it does, and what it was rewritten from."""

from __future__ import annotations

from dataclasses import replace

from htvm.deployment import Deployment
from htvm.dispatch.plan import Alternative, LayerStep
from htvm.ir import ops


def wish(run: Deployment, step: LayerStep) -> str:
    """The option by which the user put the layer where it is; empty if none did."""
    names = {step.name, *(name for node in step.layer.nodes for name in (node.name, *node.source))}
    wishes = (
        f"--pin {name}={engine}"
        for name, engine in run.request.pins.items()
        if name in names and engine == step.engine
    )
    return next((f"put on {step.engine} by {wish}" for wish in wishes), "")


def rewriting(run: Deployment, step: LayerStep) -> tuple[tuple[str, ...], tuple[Alternative, ...]]:
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


def left_over(step: LayerStep, notes: tuple[str, ...]) -> str:
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
    if step.engine != "cpu" and all(other.engine in {"cpu", step.engine} for other in unable):
        return (
            f"{step.engine} takes it as one layer of {step.cost.total:,} cycles; cpu would take "
            "its nodes one by one"
        )
    told = next((other for other in unable if other.engine != step.engine), None)
    if told is not None:
        return f"only {step.engine} takes it: {told.engine} ({told.pattern}): {told.reason}"
    if any(isinstance(node.op, ops.FloatConv2d | ops.FloatDense) for node in step.layer.nodes):
        each = step.cost.total / max(1, step.layer.macs)
        return (
            f"left in float32 by the network, which only {step.engine} computes, at {each:.1f} "
            "cycles a multiply-accumulate"
        )
    return f"only {step.engine} has a pattern for it"
