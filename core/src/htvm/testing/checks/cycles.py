"""Level 2, continued: cost models against size, timeline and emulation."""

from __future__ import annotations

from collections.abc import Iterator

from htvm.errors import HtvmError
from htvm.schedule.timeline import timeline
from htvm.testing.attempts import offers_of, programs
from htvm.testing.bench import layer_names
from htvm.testing.cases import Case, judge
from htvm.testing.checks.check import Check, counted
from htvm.testing.drawing.larger import larger
from htvm.testing.outcome import Verdict
from htvm.testing.subject import Subject

TOLERANCE = 0.1
"""Share by which a cost may differ from the timeline's and the emulation's count."""
GROWN = 30
"""Layers that are made larger."""


def grows(subject: Subject) -> Verdict:
    """Twice the work costs no less."""
    faults, count = [], 0
    for case, tilings in subject.answers.tilings:
        if count >= GROWN:
            break
        least = min(tiling.cost.total for tiling in tilings)
        more = _larger_cost(subject, case)
        if more is None:
            continue
        count += 1
        if not more >= least:
            what = f"{case.name} costs {least:,} cycles, with twice the outputs or rows {more:,}"
            faults.append(case.fault(what, "htvm_cost, or the tiler's choice"))
    if not count:
        return Verdict(absent="no layer could be made larger")
    return Verdict(looked_at=counted(count, "layer"), faults=tuple(faults))


def _larger_cost(subject: Subject, case: Case) -> int | None:
    graph = larger(case.graph)
    grown = graph and judge(graph, case.pattern, subject.session.hardware, case.number)
    if not grown or grown.layer is None:
        return None
    try:
        tilings = subject.session.tilings(grown.layer, offers_of(grown.layer))
    except HtvmError:
        return None
    return min((tiling.cost.total for tiling in tilings), default=None)


def timelines(subject: Subject) -> Verdict:
    """What a tiling costs is what its tile program takes."""
    faults, count = [], 0
    for attempt, program in programs(subject.attempts):
        count += 1
        played = timeline(program).total
        if differs(attempt.tiling.cost.total, played):
            what = f"costs {attempt.tiling.cost.total:,} cycles, its program takes {played:,}"
            faults.append(attempt.fault(what, "htvm_cost against cycles in htvm_schedule"))
    if not count:
        return Verdict(absent="no engine under test has tile programs")
    return Verdict(looked_at=counted(count, "program"), faults=tuple(faults))


def counts(subject: Subject) -> Verdict:
    """What a tiling costs is what the emulation counts."""
    runtimes = subject.session.runtimes()
    if not any(runtime.cycles for runtime in runtimes):
        return Verdict(absent="the runtime names no function that counts cycles")
    faults, count = [], 0
    for run in subject.runs:
        if run.verification is None:
            continue
        attempts = layer_names(run.bench.attempts)
        for layer in run.verification.layers:
            attempt = attempts.get(layer.name)
            if attempt is None or attempt.program is None or layer.cycles is None:
                continue
            count += 1
            if differs(attempt.tiling.cost.total, layer.cycles):
                what = f"costs {attempt.tiling.cost.total:,} cycles, "
                what += f"the emulation counts {layer.cycles:,}"
                where = "htvm_cost against the cycles counted in the emulation"
                faults.append(attempt.fault(what, where))
    if not count:
        return Verdict(blocked="no layer ran on the emulation: see the checks of level 3")
    return Verdict(looked_at=counted(count, "layer"), faults=tuple(faults))


def differs(cost: float, other: float) -> bool:
    """Whether a cost is further off than it may be."""
    return not abs(cost - other) <= TOLERANCE * max(other, 1)


def _checks() -> Iterator[Check]:
    for name, title, where, run in (
        ("grows", "twice the work costs no less", "htvm_cost", grows),
        ("timeline", "costs are those of the tile program", "htvm_cost", timelines),
        ("counted", "costs are those the emulation counts", "htvm_cost", counts),
    ):
        yield Check(name=f"tiling.{name}", level=2, title=title, where=where, run=run)


CHECKS = tuple(_checks())
