"""Level 3: the C compiles without a warning, links, is the same each time, and runs clean."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from htvm.errors import DoesNotFitError, HtvmError
from htvm.host.compiler import Compiler
from htvm.testing.bench import Bench, layer_names
from htvm.testing.blame import blamed
from htvm.testing.checks.check import Check, counted
from htvm.testing.digest import digest
from htvm.testing.outcome import Fault, Verdict
from htvm.testing.subject import Subject

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off")
OTHERS = ("gcc", "clang")
"""Compilers tried besides the usual one, where they are installed."""


def strict(subject: Subject) -> Verdict:
    """The C, headers and emulation included, has nothing a compiler warns of."""
    compilers = [subject.compiler.command, *_others(subject.compiler)]
    faults = []
    for bench in _benches(subject):
        for command in compilers:
            said = _compile([*command, *STRICT, "-fsyntax-only"], bench)
            if said:
                faults.append(_fault(said, bench, f"{command[0]} {' '.join(STRICT[1:4])}"))
    names = ", ".join(command[0] for command in compilers)
    return _verdict(subject, faults, f"by {names}")


def _others(usual: Compiler) -> Iterator[tuple[str, ...]]:
    taken = _program(usual.command[0])
    for name in OTHERS:
        program = _program(name)
        if program and program != taken:
            yield (name,)


def _program(name: str) -> str:
    """The file behind a command's name; empty if there is none."""
    found = shutil.which(name)
    return str(Path(found).resolve()) if found else ""


def symbols(subject: Subject) -> Verdict:
    """Every symbol the C uses is defined by it or by the emulation."""
    faults = []
    ends = () if sys.platform == "darwin" else ("-Wl,-z,defs",)
    for bench in _benches(subject):
        command = [*subject.compiler.command, "-std=c99", "-O0", "-w", "-shared", "-fPIC", *ends]
        said = _compile([*command, "-o", "linked.so"], bench, ["-lm"])
        if said:
            faults.append(_fault(said, bench, "linking"))
    return _verdict(subject, faults, "linked with the emulation")


def reproducible(subject: Subject) -> Verdict:
    """Another process writes the same C, byte for byte."""
    here = digest(subject)
    if isinstance(subject.target, str):
        there = _elsewhere(subject)
    else:
        other = Subject(subject.target, settings=subject.settings, layers=subject.layers)
        there = digest(other)
    if here == there:
        return Verdict(looked_at="a process with another hash seed")
    what = "two processes wrote different C for the same layers"
    where = "sets and dictionaries whose order shows in htvm_pack, htvm_emit or htvm_runtime"
    return Verdict(faults=(Fault(subject="code", what=what, where=where),))


def _elsewhere(subject: Subject) -> str:
    count = str(subject.layers)
    pairs = [f"{key}={value}" for key, value in subject.settings.items()]
    answer = subprocess.run(
        [sys.executable, "-m", "htvm.testing.digest", str(subject.target), count, *pairs],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (answer.stdout or answer.stderr).strip().splitlines()
    return lines[-1] if lines else "nothing"


def sanitized(subject: Subject) -> Verdict:
    """Nothing crashes, and neither sanitizers nor the emulation object."""
    faults = []
    for run in subject.runs:
        for name, error in run.errors:
            faults.append(_run_fault(subject, name, error))
    how = "under sanitizers" if subject.sanitizes else "without sanitizers, which it has not"
    return _verdict(subject, faults, f"run {how}")


def _run_fault(subject: Subject, name: str, error: HtvmError) -> Fault:
    attempt = layer_names(subject.attempts).get(name)
    text = ": ".join(part for part in (f"{error.message} [HTVM-{error.code}]", error.seen) if part)
    if attempt is None:
        return Fault(subject="code", what=text, where="htvm_emit, htvm_convert or the emulation")
    where = (
        f"htvm_emit of {attempt.layer.engine}, or what its emulation says of waits and addresses"
    )
    return Fault(subject=attempt.case.pattern.name, what=f"{attempt.about}: {text}", where=where)


def _benches(subject: Subject) -> Iterator[Bench]:
    for bench in subject.benches:
        if not isinstance(bench, DoesNotFitError):
            yield bench


def _compile(command: Sequence[str], bench: Bench, ends: Sequence[str] = ()) -> str:
    """What a compiler says of a bench's sources; empty if it takes them."""
    project = bench.project
    sources = [*project.sources, *project.emulation_sources]
    with tempfile.TemporaryDirectory() as scratch:
        for path, text in project.files.items():
            file = Path(scratch) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        folders = [f"-I{folder}" for folder in project.host_folders]
        answer = subprocess.run(
            [*command, *folders, *sources, *ends],
            cwd=scratch,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    if answer.returncode == 0:
        return ""
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line or "undefined reference" in line]
    return (telling or lines or ["no message"])[0].strip()


def _fault(said: str, bench: Bench, how: str) -> Fault:
    name = blamed(said, bench.project)
    attempt = layer_names(bench.attempts).get(name)
    if attempt is None:
        return Fault(subject="runtime", what=f"{how}: {said}", where="htvm_runtime: its C")
    what = f"{attempt.about}: {how}: {said}"
    where = f"htvm_emit of {attempt.layer.engine}, and the headers of htvm_runtime"
    return Fault(subject=attempt.case.pattern.name, what=what, where=where)


def _verdict(subject: Subject, faults: Sequence[Fault], how: str) -> Verdict:
    ready = list(_benches(subject))
    if not ready:
        return Verdict(blocked="no layer got as far as C: see the checks of level 2")
    layers = sum(len(bench.attempts) for bench in ready)
    detail = f"{counted(layers, 'layer')} in {counted(len(ready), 'network')}, {how}"
    return Verdict(looked_at=detail, faults=tuple(faults))


def _checks() -> Iterator[Check]:
    for name, title, run in (
        ("strict", "the C compiles without a warning", strict),
        ("symbols", "no symbol is missing", symbols),
        ("reproducible", "the C is the same in every process", reproducible),
        ("sanitized", "the C runs clean under sanitizers and the emulation's rules", sanitized),
    ):
        yield Check(name=f"code.{name}", level=3, title=title, where="htvm_emit", run=run)


CHECKS = tuple(_checks())
