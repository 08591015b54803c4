"""The result of the whole kit, as text, JSON and Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from htvm.testing.outcome import Fault, Outcome, Status

LEVELS: Mapping[int, str] = {
    0: "metadata",
    1: "patterns",
    2: "tiling and memory",
    3: "code generation",
    4: "numerics",
    5: "simulator or board",
}
"""What each level is about."""

_MARKS = {
    Status.PASSED: "✓",
    Status.FAILED: "✗",
    Status.EXPECTED: "~",
    Status.SURPRISE: "✗",
    Status.ABSENT: "–",
    Status.BLOCKED: "·",
}
SHOWN = 3
"""Faults of one check that are written out; the others are counted."""


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """Every check of a target.

    Attributes:
        target: Its id.
        distribution: The distribution that brings it.
        version: That distribution's version.
        htvm_version: Version of htvm's core.
        outcomes: In the order of the levels.
    """

    target: str
    distribution: str
    version: str
    htvm_version: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Whether the target conforms, as far as it was tested."""
        return all(outcome.status.is_fine for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The outcomes that keep the target from conforming, those that say most first."""
        wrong = [outcome for outcome in self.outcomes if not outcome.status.is_fine]
        return tuple(sorted(wrong, key=lambda outcome: outcome.status is Status.BLOCKED))

    @property
    def summary(self) -> str:
        """One line."""
        counts = Counter(outcome.status for outcome in self.outcomes)
        parts = [f"{counts[status]} {status}" for status in Status if counts[status]]
        seconds = sum(outcome.seconds for outcome in self.outcomes)
        return f"{', '.join(parts)} in {seconds:.0f} s"

    @property
    def verdict(self) -> str:
        """The last line for a terminal."""
        word = "conforms" if self.passed else "does not conform"
        return f"{self.target}{self._origin} {word}: {self.summary}"

    @property
    def _origin(self) -> str:
        """Where it comes from; nothing for a target that did not get so far as to say."""
        return f" ({self.distribution} {self.version})" if self.distribution else ""

    def to_json(self) -> dict[str, object]:
        """The scorecard as one JSON document."""
        return {
            "target": self.target,
            "distribution": self.distribution,
            "version": self.version,
            "htvm_version": self.htvm_version,
            "passed": self.passed,
            "checks": [
                {**asdict(outcome), "status": outcome.status.value} for outcome in self.outcomes
            ],
        }

    def to_text(self) -> str:
        """For a terminal: a line for each check, and what is wrong below it."""
        lines = []
        level = -1
        for outcome in self.outcomes:
            if outcome.level != level:
                level = outcome.level
                lines.append(f"L{level} {LEVELS[level]}")
            lines += lines_of(outcome)
        return "\n".join([*lines, self.verdict])

    def to_markdown(self) -> str:
        """A page to publish."""
        verdict = "conforms" if self.passed else "does not conform"
        lines = [
            f"# Conformance of {self.target}",
            "",
            f"{self.target}{self._origin} {verdict} to htvm {self.htvm_version}: {self.summary}.",
            "",
            "| level | check | result | |",
            "|---|---|---|---|",
        ]
        for outcome in self.outcomes:
            detail = outcome.detail.replace("|", "\\|")
            lines.append(
                f"| L{outcome.level} | `{outcome.check}`: {outcome.title} | {outcome.status} "
                f"| {detail} |"
            )
        for outcome in self.outcomes:
            if outcome.faults:
                lines += ["", f"## {outcome.check}", ""]
                lines += [f"- {fault.what} (see {fault.where})" for fault in outcome.faults]
        return "\n".join([*lines, ""])


def lines_of(outcome: Outcome) -> list[str]:
    """An outcome for a terminal."""
    label = "" if outcome.status is Status.PASSED else f"{outcome.status}: "
    lines = [f" {_MARKS[outcome.status]} {outcome.check:<22} {label}{outcome.detail}".rstrip()]
    for fault in outcome.faults[:SHOWN]:
        lines += fault_lines(fault)
    if len(outcome.faults) > SHOWN:
        lines.append(f"     and {len(outcome.faults) - SHOWN} more")
    return lines


def fault_lines(fault: Fault) -> list[str]:
    """A fault for a terminal."""
    return [f"     {fault.what}", f"       look at: {fault.where}"]
