"""The targets of this repository pass the kit through the command every vendor has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits" / "digits.onnx"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "htvm.cli.main", "target", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("target", ["cpu", "diana"])
def test_target_conforms(target: str, tmp_path: Path) -> None:
    page = tmp_path / "scorecard.md"
    given = ("--network", str(DIGITS), "--markdown", str(page), "--json")
    tested = run("test", target, *given)
    document = json.loads(tested.stdout)
    failing = [check for check in document["checks"] if check["faults"]]
    assert tested.returncode == 0, failing
    assert document["passed"]
    statuses = {check["check"]: check["status"] for check in document["checks"]}
    assert statuses["numerics.layers"] == statuses["numerics.given"] == "passed"
    assert f"# Conformance of {target}" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("target", ["cpu", "diana"])
def test_target_is_valid(target: str) -> None:
    looked = run("validate", target, "--json")
    assert looked.returncode == 0
    assert json.loads(looked.stdout)["problems"] == []


@pytest.mark.parametrize("target", ["cpu", "diana"])
def test_page_holds_every_constraint(target: str, tmp_path: Path) -> None:
    from htvm.plugins.session import open_session

    page = tmp_path / "target.md"
    assert run("docs", target, "-o", str(page)).returncode == 0
    text = page.read_text(encoding="utf-8").lower()
    session = open_session(target)
    for pattern in session.patterns():
        assert f"### {pattern.name}" in text
        for constraint in pattern.constraints:
            assert constraint.text.lower() in text
    for source in session.hardware.sources.values():
        assert source.lower() in text


def test_expected_failures_are_strict() -> None:
    tested = run("test", "cpu", "--level", "0", "--json", "--expect", "metadata.loads=why not")
    assert tested.returncode == 7
    (loads,) = (c for c in json.loads(tested.stdout)["checks"] if c["check"] == "metadata.loads")
    assert loads["status"] == "passes although expected to fail"


def test_expected_failures_need_a_check_and_a_reason() -> None:
    for text in ("metadata.lods=why", "metadata.loads=", "metadata.loads"):
        tested = run("test", "cpu", "--level", "0", "--expect", text)
        assert tested.returncode == 2
        assert "E160" in tested.stderr


def test_unknown_target_is_no_conformance_failure() -> None:
    for command in ("test", "validate", "docs"):
        answered = run(command, "nonsense")
        assert answered.returncode == 2
        assert "E140" in answered.stderr


def test_a_page_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tested = run("test", "cpu", "--markdown", str(tmp_path / "file" / "page.md"))
    assert tested.returncode == 2
    assert "HTVM-E145" in tested.stderr
    assert not tested.stdout
