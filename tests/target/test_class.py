"""The kit as a vendor's own four lines for pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOUR_LINES = """from htvm.testing import Conformance

class TestCpu(Conformance):
    target = "cpu"
"""


def run(folder: Path, *more: str) -> str:
    file = folder / "test_cpu.py"
    file.write_text("\n".join((FOUR_LINES.rstrip("\n"), *more, "")), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder).stdout


def test_a_test_for_every_check(tmp_path: Path) -> None:
    said = run(tmp_path, "    level = 1")
    assert "PASSED test_cpu.py::TestCpu::test_conforms[metadata.loads]" in said
    assert "PASSED test_cpu.py::TestCpu::test_conforms[patterns.reasons]" in said
    assert "not provided: no pattern brings examples" in said
    assert "failed" not in said


def test_an_expected_failure_that_passes_fails(tmp_path: Path) -> None:
    said = run(tmp_path, "    level = 0", "    expected_failures = {'metadata.runtime': 'not yet'}")
    assert "FAILED test_cpu.py::TestCpu::test_conforms[metadata.runtime]" in said
    assert "was expected to fail (not yet), but passes" in said
