"""What a check finds, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        subject: Pattern, engine or hook it is about; expected failures may name it.
        what: What was seen, with the layer and the numbers.
        where: Which hook, file or key to look at.
    """

    subject: str
    what: str
    where: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check came to.

    Attributes:
        looked_at: What was looked at, with numbers: ``"48 layers, 71 tilings"``.
        faults: What is wrong; empty when all is well.
        absent: Why there was nothing to look at, because the target does not provide it.
        blocked: Why the check could not be made, because something else is wrong.
    """

    looked_at: str = ""
    faults: tuple[Fault, ...] = ()
    absent: str = ""
    blocked: str = ""


class Status(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    EXPECTED = "fails as expected"
    SURPRISE = "passes although expected to fail"
    ABSENT = "not provided"
    BLOCKED = "not run"

    @property
    def is_fine(self) -> bool:
        """Whether the target conforms all the same."""
        return self in {Status.PASSED, Status.EXPECTED, Status.ABSENT}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A check that was made.

    Attributes:
        check: Its name: ``"tiling.covers"``.
        level: 0 to 5.
        title: What holds when it passes.
        status: How it ended.
        detail: What was looked at, or why it was not.
        faults: What is wrong, expected faults included.
        seconds: How long it took, work shared with other checks counted where it was done first.
    """

    check: str
    level: int
    title: str
    status: Status
    detail: str = ""
    faults: tuple[Fault, ...] = ()
    seconds: float = 0.0
