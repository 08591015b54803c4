"""Broken third-party plug-ins: named when asked for, and no harm to anybody else."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from shell import DIGITS

HEAD = """
from typing import ClassVar
from htvm.api import *
from htvm_cpu.plugin import Cpu

class Mine(Target):
    extends: ClassVar = ("cpu",)
"""


def hooked(hook: str) -> str:
    """A target that extends the host and answers one hook."""
    return f"{HEAD}    @hookimpl\n    def htvm_{hook}"


FAULTS = {
    "raises": ("raise ValueError('bad day')", "E602", "bad day"),
    "exits": ("import sys; sys.exit('gone')", "E602", "SystemExit"),
    "lacks": ("import no_such_thing_at_all", "E602", "no_such_thing_at_all"),
    "misspelt": ("class Other: pass", "E602", "Mine"),
    "wrong": ("Mine = 42", "E603", "42"),
    "needy": (HEAD + "    def __init__(self, chip): pass", "E603", "chip"),
    "syntax": ("class class", "E602", "SyntaxError"),
    "old": (HEAD + "    api_version = 0", "E604", "0"),
    "orphan": (HEAD + "    extends = ('nobody',)", "E605", "nobody"),
    "string": (HEAD + "    extends = 'cpu'", "E605", "'cpu'"),
    "dumb": (HEAD + "    extends = ()", "E606", "htvm_hardware"),
    "hardware": (hooked("hardware(self): return 42"), "E608", "int"),
    "options": (hooked("options(self): return 42"), "E608", "int"),
    "patterns": (hooked("patterns(self, hardware): return (1,)"), "E608", "Pattern"),
    "divides": (hooked("patterns(self, hardware): 1 / 0"), "E609", "ZeroDivisionError"),
    "quits": (hooked("patterns(self, hardware): exit()"), "E609", "SystemExit"),
    "tilings": (hooked("tilings(self, layer): return (1,)"), "E608", "Tiling"),
    "packs": (hooked("pack(self, layer): return [1]"), "E608", "list"),
    "emits": (hooked("emit(self, layer): return 'int x;'"), "E608", "LayerCode"),
    "runtime": (hooked("runtime(self): return {}"), "E608", "Runtime"),
    "unknown": (hooked("tillings(self): return ()"), "E613", "htvm_tillings"),
    "arguments": (hooked("cost(self, colour): return ()"), "E613", "colour"),
}
AT_DOCTOR = {"tilings", "packs", "emits"}
"""Hooks that only a network brings to light."""


def install(folder: Path, name: str, source: str) -> None:
    """A distribution of one module that brings one target."""
    (folder / f"htvm_{name}.py").write_text(dedent(source))
    info = folder / f"htvm_{name}-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: htvm-{name}\nVersion: 3.1\n")
    (info / "entry_points.txt").write_text(f"[htvm.targets]\n{name} = htvm_{name}:Mine\n")


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Every broken plug-in there is, and distributions that are broken themselves."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name, (source, _, _) in FAULTS.items():
        install(folder, name, source)
    (folder / "hollow-1.0.dist-info").mkdir()
    nameless = folder / "nameless-1.0.dist-info"
    nameless.mkdir()
    (nameless / "entry_points.txt").write_text("[htvm.targets]\nnameless = nothing:Mine\n")
    garbled = folder / "garbled-1.0.dist-info"
    garbled.mkdir()
    (garbled / "entry_points.txt").write_text("[htvm.targets]\nno equals sign\n[[[\n=\n")
    binary = folder / "binary-1.0.dist-info"
    binary.mkdir()
    (binary / "entry_points.txt").write_bytes(b"\xff\xfe[htvm.targets]\n\x80 = \x80\n")
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_all_are_listed_and_none_is_loaded(htvm, broken):
    outcome = htvm("targets", "--json")
    assert outcome.code == 0, outcome.err
    names = {row["name"] for row in outcome.document["targets"]}
    assert {*FAULTS, "nameless", "cpu", "diana"} <= names


def test_others_still_deploy(htvm, broken, tmp_path):
    outcome = htvm("deploy", DIGITS, "-t", "diana", "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err


def test_doctor_names_each(htvm, broken):
    outcome = htvm("doctor", "--json")
    assert outcome.code == 6
    checks = {check["name"]: check for check in outcome.document["checks"]}
    for name in FAULTS:
        assert checks[f"target {name}"]["ok"] == (name in AT_DOCTOR), checks[f"target {name}"]
        assert f"htvm-{name} 3.1" in checks[f"target {name}"]["detail"]
    assert checks["target cpu"]["ok"]
    assert checks["target diana"]["ok"]


@pytest.mark.parametrize("name", FAULTS)
def test_culprit_is_named(htvm, broken, tmp_path, name):
    _, code, word = FAULTS[name]
    outcome = htvm("deploy", DIGITS, "-t", name, "-o", tmp_path / "out")
    outcome.refuses(7, code, f"htvm-{name} 3.1", word)
    assert not (tmp_path / "out").exists()


def test_unknown_target_lists_what_there_is(htvm, tmp_path):
    outcome = htvm("deploy", DIGITS, "-t", "dianna", "-o", tmp_path / "out")
    outcome.refuses(2, "E140", "'dianna'", "cpu, diana", "did you mean 'diana'")
    outcome = htvm("deploy", DIGITS, "-t", "gap9", "-o", tmp_path / "out")
    outcome.refuses(2, "E140", "pip install htvm-gap9")


@pytest.mark.parametrize("target", ["", "../../x", "a b; rm -rf", "CPU", "\x1b[31m", "x" * 300])
def test_targets_that_are_no_ids(htvm, tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    htvm("deploy", DIGITS, "-t", target).refuses(2, "E140")
    assert list(tmp_path.iterdir()) == []
