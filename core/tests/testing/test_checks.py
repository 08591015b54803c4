"""Checks on subjects made by hand: examples of patterns, simulators and boards."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from networks import Builder

from htvm.api import COMPUTED, CONSTANT, Constraint, Pattern, Runner, Template, ToolError, ops
from htvm.ir.requant import ShiftRequant
from htvm.testing.cases import PLAIN
from htvm.testing.checks import patterns, running
from htvm.testing.networks import networks

CONV = Template(ops=(ops.Conv2d,), inputs=(COMPUTED, CONSTANT), capture="conv")
FEW = Constraint(
    text="at most 4 outputs",
    check=lambda layer, hardware: (
        None if layer.output.shape[1] <= 4 else f"there are {layer.output.shape[1]}"
    ),
)
BLANK = Pattern(
    name="conv",
    engine="npu",
    root=Template(ops=(ShiftRequant,), inputs=(CONV,)),
    constraints=(FEW,),
)


def network(outputs):
    build = Builder()
    build.conv(build.input("x", (1, 3, 4, 4)), outputs, "y")
    return build.graph("y", name=f"conv{outputs}")


def subject_of(pattern):
    return SimpleNamespace(patterns=(pattern,), session=SimpleNamespace(hardware=None))


def test_examples_that_are_judged_rightly():
    pattern = replace(BLANK, accepts=lambda: [network(4)], rejects=lambda: [network(5)])
    verdict = patterns.examples(subject_of(pattern))
    assert verdict.faults == ()
    assert verdict.looked_at == "2 examples"


def test_examples_that_are_judged_wrongly():
    pattern = replace(BLANK, accepts=lambda: [network(5)], rejects=lambda: [network(4)])
    first, second = patterns.examples(subject_of(pattern)).faults
    assert "should take its example 'conv5'" in first.what
    assert "there are 5" in first.what
    assert "should turn down its example 'conv4', which is taken" in second.what


def test_patterns_without_examples_say_so():
    assert "no pattern brings examples" in patterns.examples(subject_of(BLANK)).absent


@dataclass
class Board:
    """A subject with one network and a runner."""

    answer: Runner | None

    @property
    def session(self):
        return SimpleNamespace(runner=lambda: self.answer)

    @property
    def small_networks(self):
        return tuple(networks(PLAIN))[:1]

    def deployed(self, graph):
        return SimpleNamespace(project=SimpleNamespace(name="net", files={"a/b.c": "int x;\n"}))


def runner(run, missing=""):
    return running.runs(Board(Runner(name="a board", run=run, missing=missing)))


def test_a_board_that_prints_pass():
    seen = []

    def run(folder):
        seen.append((folder / "a" / "b.c").read_text())
        return "boot\nPASS net\n"

    verdict = runner(run)
    assert verdict.faults == ()
    assert verdict.looked_at == "1 network on a board"
    assert seen == ["int x;\n"]


@pytest.mark.parametrize("said", ["FAIL output", "", "PASS other"])
def test_a_board_that_prints_anything_else(said):
    (fault,) = runner(lambda folder: said).faults
    assert "not PASS" in fault.what
    assert "htvm_runner" in fault.where


def test_a_board_that_fails():
    def run(folder):
        raise ToolError("no answer", seen="30 s")

    (fault,) = runner(run).faults
    assert "no answer: 30 s" in fault.what


def test_a_board_that_is_not_here():
    assert "no cable" in runner(lambda folder: "", missing="no cable").absent
    assert "htvm_runner" in running.runs(Board(None)).absent
