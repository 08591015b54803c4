"""Verdicts, expected failures, the scorecard, and the class for pytest."""

import json

import pytest

from htvm.errors import PluginError, ToolError, UsageError
from htvm.ir.layout import Axis, Layout, row_major
from htvm.target.layer import Cost
from htvm.testing import Conformance
from htvm.testing.blame import blamed
from htvm.testing.checks.check import Check
from htvm.testing.checks.cycles import differs
from htvm.testing.checks.tiling import cost_fault, misplaced
from htvm.testing.kit import CATALOGUE, check_expected, run_check
from htvm.testing.outcome import Fault, Outcome, Status, Verdict
from htvm.testing.scorecard import Scorecard, lines_of

FAULTS = tuple(Fault(subject=name, what=f"{name} is wrong", where="here") for name in "ab")


def outcome(verdict, expected=None, broken=""):
    def find(subject):
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    check = Check(name="tiling.fits", level=2, title="it fits", where="there", run=find)
    return run_check(check, None, expected or {}, broken=broken)


@pytest.mark.parametrize(
    ("verdict", "expected", "status"),
    [
        (Verdict(), {}, Status.PASSED),
        (Verdict(faults=FAULTS), {}, Status.FAILED),
        (Verdict(faults=FAULTS), {"tiling.fits": "known"}, Status.EXPECTED),
        (Verdict(faults=FAULTS), {"tiling.fits:a": "known"}, Status.FAILED),
        (Verdict(faults=FAULTS[:1]), {"tiling.fits:a": "known"}, Status.EXPECTED),
        (Verdict(faults=FAULTS[:1]), {"tiling.fits:b": "known"}, Status.SURPRISE),
        (Verdict(), {"tiling.fits": "known"}, Status.SURPRISE),
        (Verdict(), {"tiling.covers": "known"}, Status.PASSED),
        (Verdict(absent="no memory"), {}, Status.ABSENT),
        (Verdict(blocked="elsewhere"), {}, Status.BLOCKED),
    ],
)
def test_status_of_a_verdict(verdict, expected, status):
    assert outcome(verdict, expected).status is status


def test_an_expected_fault_hides_no_other():
    found = outcome(Verdict(faults=FAULTS), {"tiling.fits:a": "known"})
    assert [fault.subject for fault in found.faults] == ["b"]


def test_an_error_is_a_fault_unless_something_failed_before():
    error = PluginError("broken", code="E609", seen="KeyError")
    alone = outcome(error)
    assert alone.status is Status.FAILED
    assert "E609" in alone.faults[0].what
    after = outcome(error, broken="metadata.loads")
    assert after.status is Status.BLOCKED
    assert "metadata.loads" in after.detail


def test_a_missing_tool_is_no_fault_of_the_target():
    found = outcome(ToolError("no C compiler found", code="E501"))
    assert found.status is Status.BLOCKED
    assert "no C compiler" in found.detail
    assert not found.status.is_fine


@pytest.mark.parametrize("key", ["tiling.fit", "fits"])
def test_expected_failures_name_checks(key):
    with pytest.raises(UsageError) as caught:
        check_expected({key: "known"})
    assert caught.value.code == "E160"
    with pytest.raises(UsageError):
        check_expected({"tiling.fits": " "})


def test_names_of_checks_are_unique_and_in_order_of_levels():
    names = [check.name for check in CATALOGUE]
    assert len(set(names)) == len(names)
    assert [check.level for check in CATALOGUE] == sorted(check.level for check in CATALOGUE)
    assert {check.level for check in CATALOGUE} == set(range(6))


def card(*outcomes):
    return Scorecard(
        target="chip", distribution="htvm-chip", version="1", htvm_version="2", outcomes=outcomes
    )


def made(status, **more):
    return Outcome(check="tiling.fits", level=2, title="it fits", status=status, **more)


def test_scorecard_as_text_json_and_markdown():
    found = card(made(Status.FAILED, faults=FAULTS * 3, detail="6 | 7 layers"))
    assert not found.passed
    text = found.to_text()
    for part in ("✗ tiling.fits", "a is wrong", "look at: here", "and 3 more", "not conform"):
        assert part in text
    document = json.loads(json.dumps(found.to_json()))
    assert document["passed"] is False
    assert len(document["checks"][0]["faults"]) == 6
    page = found.to_markdown()
    assert "| L2 | `tiling.fits`: it fits | failed | 6 \\| 7 layers |" in page
    assert "- a is wrong (see here)" in page


def test_what_is_not_provided_is_said_and_does_not_fail():
    found = card(made(Status.ABSENT, detail="no runner"))
    assert found.passed
    assert "not provided: no runner" in lines_of(found.outcomes[0])[0]


@pytest.mark.parametrize(
    ("cost", "says"),
    [
        (Cost(total=5, compute=5), ""),
        (Cost(total=5, compute=3, transfer=4), ""),
        (Cost(total=0, compute=0), "total is 0"),
        (Cost(total=-1, compute=2), "total is -1"),
        (Cost(total=float("nan"), compute=2), "nan"),
        (Cost(total=float("inf"), compute=2), "inf"),
        (Cost(total=2.5, compute=3), "no whole number"),
        (Cost(total=9, compute=3, transfer=2, overhead=1), "more than its parts"),
    ],
)
def test_costs(cost, says):
    assert says in cost_fault(cost)
    assert bool(cost_fault(cost)) == bool(says)


@pytest.mark.parametrize(("cost", "other"), [(100, 112), (0, 50), (float("nan"), 5), (50, 0)])
def test_costs_that_differ(cost, other):
    assert differs(cost, other)
    assert not differs(other, other)


def test_layouts_that_place_elements_wrongly():
    shape = (1, 2, 3)
    axes = row_major(shape).axes
    assert misplaced(row_major(shape), shape) == ""
    assert "2 axes" in misplaced(row_major((2, 3)), shape)
    assert "0..5 of 5" in misplaced(Layout(name="short", axes=axes, size=5), shape)
    heap = Layout(name="heap", axes=(axes[0], Axis(stride=1), Axis(stride=1)), size=6)
    assert "one address" in misplaced(heap, shape)


def test_a_message_of_the_compiler_leads_to_its_layer():
    from types import SimpleNamespace

    text = "int x;\nstatic void layer_conv1(void)\n{\n}\nstatic void layer_add(\n    int a)\n{\n"
    project = SimpleNamespace(files={"src/net.c": text})
    assert blamed("src/net.c:3:1: error: no", project) == "conv1"
    assert blamed("src/net.c:7:1: error: no", project) == "add"
    assert blamed("src/net.c:1:1: error: no", project) == ""
    assert blamed("emulation/chip.c:3:1: error: no", project) == ""
    assert blamed("/tmp/x.o: in function `layer_conv1': undefined", project) == "conv1"


class Parametrized:
    def parametrize(self, name, values):
        self.name, self.values = name, values


def test_the_class_makes_a_test_of_every_check_up_to_its_level():
    class Chip(Conformance):
        target = "chip"
        level = 1

    asked = Parametrized()
    Chip().pytest_generate_tests(asked)
    assert asked.values[0] == "metadata.package"
    assert {name.partition(".")[0] for name in asked.values} == {"metadata", "patterns"}
