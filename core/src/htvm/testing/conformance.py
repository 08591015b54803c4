"""The kit as a pytest class: a test for each check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from htvm.ir.graph import Graph
from htvm.target.base import Target
from htvm.testing.kit import CATALOGUE, HIGHEST, check_expected, run_check
from htvm.testing.outcome import Outcome, Status
from htvm.testing.scorecard import fault_lines
from htvm.testing.subject import Subject


class Conformance:
    """Tests of a target: derive a class whose name begins with ``Test`` and name the target.

    For example::

        class TestAcme(Conformance):
            target = "acme"

    Attributes:
        target: Id of an installed target, a path, or a class.
        level: Highest level to go to.
        settings: Hardware keys and options to change.
        networks: Networks to deploy besides the kit's own.
        expected_failures: Checks known to fail, each with the reason. A check that passes all the
            same fails the test.
    """

    target: ClassVar[str | type[Target]]
    level: ClassVar[int] = HIGHEST
    settings: ClassVar[Mapping[str, str]] = {}
    networks: ClassVar[Sequence[Graph]] = ()
    expected_failures: ClassVar[Mapping[str, str]] = {}

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Ask pytest for a test of each check up to the level."""
        check_expected(self.expected_failures)
        names = [check.name for check in CATALOGUE if check.level <= self.level]
        metafunc.parametrize("check", names)

    @classmethod
    @cache
    def subject(cls) -> Subject:
        """The target under test; what is found out about it serves every test of the class."""
        return Subject(cls.target, settings=cls.settings, given=cls.networks)

    def test_conforms(self, check: str) -> None:
        """One check; what the target does not provide is skipped with the reason."""
        import pytest

        outcome = _outcome(type(self), check)
        if outcome.status is Status.ABSENT:
            pytest.skip(f"not provided: {outcome.detail}")
        if outcome.status is Status.EXPECTED:
            pytest.xfail(outcome.detail)
        if not outcome.status.is_fine:
            pytest.fail("\n".join(_lines(outcome)), pytrace=False)


def _lines(outcome: Outcome) -> list[str]:
    lines = [f"L{outcome.level} {outcome.check} {outcome.status}: {outcome.title}"]
    if outcome.detail:
        lines.append(f"     {outcome.detail}")
    return lines + [line for fault in outcome.faults for line in fault_lines(fault)]


def _outcome(kind: type[Conformance], name: str) -> Outcome:
    (check,) = (check for check in CATALOGUE if check.name == name)
    return run_check(check, kind.subject(), kind.expected_failures)
