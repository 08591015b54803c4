"""What a quantised file says of the accuracy budget it was made with."""

from __future__ import annotations

from pydantic import ValidationError

from htvm.deployment import Deployment
from htvm.dispatch.plan import LayerStep
from htvm.quantization.budget import BUDGET_PROPERTY
from htvm.report.model import Budget, BudgetQuality


def budget_of(run: Deployment) -> Budget | None:
    """What became of the budget, its layers called as in this run; None if the file has none."""
    budget = _stored(run)
    if budget is None:
        return None
    names = _names(run)
    exemptions = [
        step.model_copy(
            update={
                "layer": names.get(step.layer, step.layer),
                "node": step.layer,
                "followed": [names[name] for name in step.followed if name in names],
            }
        )
        for step in budget.exemptions
    ]
    return budget.model_copy(update={"exemptions": exemptions})


def _stored(run: Deployment) -> Budget | None:
    """The property of the file, its layers called as there."""
    text = run.graph.origin.metadata.get(BUDGET_PROPERTY)
    try:
        return None if text is None else Budget.model_validate_json(text)
    except ValidationError:
        return None


def _names(run: Deployment) -> dict[str, str]:
    """The layer in which each node of the file begins."""
    found: dict[str, str] = {}
    for step in run.dispatch.layers if run.dispatch else ():
        for name in _nodes(step):
            found.setdefault(name, step.name)
    return found


def _nodes(step: LayerStep) -> set[str]:
    return {name for node in step.layer.nodes for name in (node.name, *node.source)}


def spared(run: Deployment, step: LayerStep) -> str:
    """Why a layer is left in float32 by the budget; empty if it is not."""
    budget, nodes = _stored(run), _nodes(step)
    for exempted in budget.exemptions if budget else ():
        if exempted.layer in nodes:
            return (
                "left in float32 by the accuracy budget: its rounding alone leaves the output "
                f"{exempted.alone_db:.1f} dB of signal to noise"
            )
        if not nodes.isdisjoint(exempted.followed):
            because = _names(run).get(exempted.layer, exempted.layer)
            return f"left in float32 by the accuracy budget, together with {because}"
    return ""


def budget_lines(budget: Budget) -> list[str]:
    """The layers left in float32, in the order chosen, for people."""
    count = len(budget.exemptions)
    if not count:
        return [f"accuracy budget ({limits(budget)}) kept with every layer quantised"]
    kept = "kept" if budget.is_kept else "not kept"
    layers = "1 layer" if count == 1 else f"{count} layers"
    lines = [f"accuracy budget ({limits(budget)}) {kept} with {layers} left in float32:"]
    lines += [
        f"{number}. {step.layer}: alone {step.alone_db:.1f} dB; then {told(step.after)}"
        for number, step in enumerate(budget.exemptions, start=1)
    ]
    return lines


def limits(budget: Budget) -> str:
    """What was asked."""
    parts = []
    if budget.max_drop is not None:
        parts.append(f"at most {budget.max_drop:g} points of accuracy lost")
    if budget.min_sqnr_db is not None:
        parts.append(f"at least {budget.min_sqnr_db:g} dB at the output")
    return ", ".join(parts)


def told(quality: BudgetQuality) -> str:
    """A quality in words."""
    noise = f"{quality.sqnr_db:.1f} dB"
    return noise if quality.accuracy is None else f"accuracy {quality.accuracy:.2%}, {noise}"
