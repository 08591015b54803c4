"""What a quantised file says of the accuracy budget it was made with."""

from __future__ import annotations

from pydantic import ValidationError

from htvm.deployment import Deployment
from htvm.dispatch.plan import LayerStep
from htvm.ir.graph import Origin
from htvm.quantize.budget import BUDGET_PROPERTY
from htvm.report.model import Budget, BudgetQuality


def budget_of(origin: Origin) -> Budget | None:
    """What became of the budget; None if the file knows of none, or has one it did not get here."""
    text = origin.metadata.get(BUDGET_PROPERTY)
    if text is None:
        return None
    try:
        return Budget.model_validate_json(text)
    except ValidationError:
        return None


def spared(run: Deployment, step: LayerStep) -> str:
    """Why a layer is left in float32 by the budget; empty if it is not."""
    budget = budget_of(run.graph.origin)
    if budget is None:
        return ""
    names = {name for node in step.layer.nodes for name in (node.name, *node.source)}
    for exempted in budget.exemptions:
        if exempted.layer in names:
            return (
                "left in float32 by the accuracy budget: its rounding alone leaves the output "
                f"{exempted.alone_db:.1f} dB of signal to noise"
            )
        if names & set(exempted.followed):
            return f"left in float32 by the accuracy budget, together with {exempted.layer}"
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
