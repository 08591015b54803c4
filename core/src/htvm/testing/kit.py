"""Runs the checks of the kit and draws up the scorecard."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version

from htvm.errors import HtvmError, ToolError, UsageError
from htvm.testing.checks import (
    code,
    cycles,
    declarations,
    metadata,
    numerics,
    patterns,
    running,
    tiling,
)
from htvm.testing.checks.check import Check
from htvm.testing.outcome import Fault, Outcome, Status, Verdict
from htvm.testing.scorecard import Scorecard
from htvm.testing.subject import Subject

CATALOGUE: tuple[Check, ...] = (
    declarations.PACKAGE,
    *metadata.CHECKS,
    declarations.DECLARATIONS,
    *patterns.CHECKS,
    *tiling.CHECKS,
    *cycles.CHECKS,
    *code.CHECKS,
    *numerics.CHECKS,
    *running.CHECKS,
)
"""Every check, by level."""
HIGHEST = 5

Progress = Callable[[Outcome], None]


def run_kit(
    subject: Subject,
    *,
    level: int = HIGHEST,
    expected: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Scorecard:
    """Check a target.

    Args:
        subject: The target.
        level: Highest level to go to.
        expected: Checks that are known to fail, each with the reason: ``"tiling.counted"``, or
            ``"tiling.counted:conv2d"`` for what concerns one pattern only.
        progress: Called after each check.

    Raises:
        UsageError: E160, an expected failure names no check or has no reason.
    """
    known = expected or {}
    check_expected(known)
    found: list[Outcome] = []
    for check in CATALOGUE:
        if check.level <= level:
            outcome = run_check(check, subject, known, broken=_broken(found))
            found.append(outcome)
            if progress is not None:
                progress(outcome)
    return scorecard(subject, found)


def scorecard(subject: Subject, outcomes: Sequence[Outcome]) -> Scorecard:
    """The scorecard of checks that were made."""
    try:
        info = subject.session.target
        who = info.name, info.distribution, info.version
    except HtvmError:
        who = str(getattr(subject.target, "__name__", subject.target)), "", ""
    return Scorecard(
        target=who[0],
        distribution=who[1],
        version=who[2],
        htvm_version=version("htvm-core"),
        outcomes=tuple(outcomes),
    )


def check_expected(expected: Mapping[str, str]) -> None:
    """See that expected failures name checks and have reasons.

    Raises:
        UsageError: E160.
    """
    names = {check.name for check in CATALOGUE}
    for key, reason in expected.items():
        if key.partition(":")[0] not in names or not reason.strip():
            raise UsageError(
                f"expected failure {key!r} names no check or has no reason",
                code="E160",
                seen=f"{key}={reason}",
                accepted=", ".join(sorted(names)),
                hint="CHECK=REASON, or CHECK:PATTERN=REASON",
            )


def _broken(outcomes: Sequence[Outcome]) -> str:
    """The check that first failed, if one did."""
    return next((o.check for o in outcomes if o.status is Status.FAILED), "")


def run_check(
    check: Check, subject: Subject, expected: Mapping[str, str], *, broken: str = ""
) -> Outcome:
    """Make one check.

    Args:
        check: The check.
        subject: The target.
        expected: Checks known to fail, with the reason.
        broken: A check that failed before and may be why this one cannot be made.
    """
    start = time.perf_counter()
    try:
        verdict = check.run(subject)
    except Exception as error:
        verdict = _unfinished(check, error, broken)
    outcome = Outcome(
        check=check.name,
        level=check.level,
        title=check.title,
        status=Status.PASSED,
        detail=verdict.looked_at,
        faults=verdict.faults,
        seconds=time.perf_counter() - start,
    )
    return _judged(outcome, verdict, expected)


def _unfinished(check: Check, error: Exception, broken: str) -> Verdict:
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, HtvmError):
        parts = (f"{error.message} [HTVM-{error.code}]", error.seen)
        text = ": ".join(part for part in parts if part)
    if isinstance(error, ToolError):
        return Verdict(blocked=text)
    if broken:
        return Verdict(blocked=f"{broken} fails")
    return Verdict(faults=(Fault(subject=check.name, what=text, where=check.where),))


def _judged(outcome: Outcome, verdict: Verdict, expected: Mapping[str, str]) -> Outcome:
    """The status, expected failures taken into account: those that do not happen are failures."""
    if verdict.absent:
        return replace(outcome, status=Status.ABSENT, detail=verdict.absent)
    if verdict.blocked:
        return replace(outcome, status=Status.BLOCKED, detail=verdict.blocked)
    own = {k: v for k, v in expected.items() if k.partition(":")[0] == outcome.check}
    unmet = [key for key in own if not any(_covers(key, f) for f in verdict.faults)]
    if unmet:
        what = f"{', '.join(unmet)} was expected to fail ({own[unmet[0]]}), but passes"
        fault = Fault(subject=outcome.check, what=what, where="the list of expected failures")
        return replace(outcome, status=Status.SURPRISE, faults=(fault, *outcome.faults))
    rest = tuple(f for f in verdict.faults if not any(_covers(key, f) for key in own))
    if rest:
        return replace(outcome, status=Status.FAILED, faults=rest)
    if verdict.faults:
        return replace(outcome, status=Status.EXPECTED, detail="; ".join(own.values()))
    return outcome


def _covers(key: str, fault: Fault) -> bool:
    subject = key.partition(":")[2]
    return not subject or subject == fault.subject
