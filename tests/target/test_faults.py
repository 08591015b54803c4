"""Faults planted in a rendered target, each found by the level it belongs to."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from planted import PLANTED, Planted

from htvm.testing import Status, Subject, run_kit
from htvm.testing.kit import CATALOGUE, run_check

LAYERS = 16
LIMIT_S = 4.0
"""Enough to load a package on a busy machine."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "htvm.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``htvm new-target`` makes."""
    folder = tmp_path_factory.mktemp("rendered") / "htvm-acme"
    made = run("new-target", "acme", "-o", str(folder))
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def package(rendered: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy to plant a fault in, forgotten afterwards."""
    folder = tmp_path / "htvm-acme"
    shutil.copytree(rendered, folder)
    yield folder
    sys.path[:] = [path for path in sys.path if not path.startswith(str(tmp_path))]
    for name in [name for name in sys.modules if name.partition(".")[0] == "htvm_acme"]:
        del sys.modules[name]


def plant(package: Path, fault: Planted) -> None:
    file = package / "src" / "htvm_acme" / fault.file
    text = file.read_text(encoding="utf-8")
    assert fault.old in text, f"the rendered {fault.file} has changed"
    file.write_text(text.replace(fault.old, fault.new), encoding="utf-8")


@pytest.mark.parametrize("fault", PLANTED.values(), ids=PLANTED)
def test_fault_is_found_where_it_belongs(package: Path, fault: Planted) -> None:
    """No check before the right one fails, and that one says what is wrong and where to look."""
    plant(package, fault)
    subject = Subject(str(package), layers=LAYERS)
    for check in CATALOGUE:
        outcome = run_check(check, subject, {})
        if check.name == fault.check:
            break
        assert outcome.status is not Status.FAILED, outcome
    assert outcome.status is Status.FAILED
    said = "\n".join(f"{one.what} | {one.where}" for one in outcome.faults)
    for part in fault.says:
        assert part in said


@pytest.mark.parametrize(
    ("file", "old", "new", "check", "says"),
    [
        (
            "engine.py",
            "    return api.window_tilings(",
            "    while layer.engine:\n        pass\n    return api.window_tilings(",
            "tiling.answers",
            "target 'acme' of",
        ),
        (
            "patterns.py",
            "SHAPE),",
            "SHAPE, api.Constraint("
            'text="it halts", check=lambda *_: any(x for x in iter(int, 1)))),',
            "patterns.reasons",
            "pattern 'conv2d' of npu does not come to an end in the constraint 'it halts'",
        ),
        (
            "pack.py",
            "import numpy",
            "while True:\n    pass\nimport numpy",
            "metadata.loads",
            "at pack.py:",
        ),
    ],
)
def test_what_does_not_return_is_named_and_asked_nothing_more(
    package: Path, file: str, old: str, new: str, check: str, says: str
) -> None:
    plant(package, Planted(file=file, old=old, new=new, check=check, says=()))
    subject = Subject(str(package), layers=LAYERS)
    subject.patience.seconds = LIMIT_S
    card = run_kit(subject, level=2)
    (failed,) = (one for one in card.outcomes if one.status is Status.FAILED)
    assert failed.check == check
    assert "HTVM-E6" in failed.faults[0].what
    assert f"no answer within {LIMIT_S:g} s" in failed.faults[0].what
    assert says in failed.faults[0].what
    assert card.outcomes[-1].status is Status.BLOCKED


def test_every_fault_belongs_to_a_check() -> None:
    assert {fault.check for fault in PLANTED.values()} <= {check.name for check in CATALOGUE}
    assert len(PLANTED) >= 15


def test_the_command_names_the_fault(package: Path) -> None:
    plant(package, PLANTED["misspelt hook"])
    tested = run("target", "test", str(package), "--level", "0")
    assert tested.returncode == 7
    assert "did you mean 'htvm_tilings'?" in tested.stdout
    looked = run("target", "validate", str(package), "--json")
    assert looked.returncode == 7
    (problem,) = json.loads(looked.stdout)["problems"]
    assert problem["where"].startswith("src/htvm_acme/plugin.py:")


def test_the_package_without_a_fault_conforms(package: Path) -> None:
    tested = run("target", "test", str(package), "--json", "--layers", str(LAYERS))
    document = json.loads(tested.stdout)
    assert tested.returncode == 0, document
    assert {check["status"] for check in document["checks"]} == {"passed", "not provided"}
