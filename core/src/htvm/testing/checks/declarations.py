"""Level 0, continued: the package as it lies there, and the C its runtime declares."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from htvm.codegen.runtimes import join
from htvm.testing.checks.check import Check, counted
from htvm.testing.checks.code import STRICT
from htvm.testing.outcome import Fault, Verdict
from htvm.testing.static.look import static_faults
from htvm.testing.static.place import locate
from htvm.testing.subject import Subject

_ABSENT = ("No such file or directory", "file not found")
"""What compilers say of a header that is not there."""


def package(subject: Subject) -> Verdict:
    """Entry point, requirements, hardware description and source code, without an import."""
    if not isinstance(subject.target, str):
        return Verdict(absent="the target is a class, not a package")
    place = locate(subject.target)
    looked = counted(len(place.sources), "Python file"), counted(len(place.tables), "TOML file")
    return Verdict(looked_at=", ".join(looked), faults=static_faults(place))


def declarations(subject: Subject) -> Verdict:
    """Every header compiles by itself, every source of emulation and device with it."""
    joined = join(subject.session.runtimes())
    if not (joined.headers or joined.emulation or joined.device):
        return Verdict(absent="the target brings no C")
    shared = files("htvm.codegen").joinpath("templates", "htvm.h.j2").read_text("utf-8")
    texts = {"htvm.h": shared, **joined.headers}
    probes = {
        name: f'#include "{name}"\n#include "{name}"\nint htvm_probe;\n' for name in joined.headers
    }
    faults = list(_compiled(subject, texts, probes, "htvm_runtime: headers"))
    for role, sources in (("emulation", joined.emulation), ("device", joined.device)):
        units = {name: text for name, text in sources.items() if name.endswith(".c")}
        where = f"htvm_runtime: {role}"
        faults += _compiled(subject, {**texts, **sources}, units, where, own=role == "device")
    count = len(joined.headers) + len(joined.emulation) + len(joined.device)
    return Verdict(looked_at=counted(count, "file"), faults=tuple(faults))


def _compiled(
    subject: Subject,
    texts: Mapping[str, str],
    units: Mapping[str, str],
    where: str,
    *,
    own: bool = False,
) -> Iterator[Fault]:
    """What the compiler says of each unit; device sources may include the chip's own headers."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in texts.items():
            (Path(scratch) / name).write_text(text, encoding="utf-8")
        for name, text in units.items():
            file = Path(scratch) / (name if name.endswith(".c") else f"{name}.probe.c")
            file.write_text(text, encoding="utf-8")
            command = [*subject.compiler.command, *STRICT, "-fsyntax-only", "-I.", file.name]
            said = subprocess.run(
                command, cwd=scratch, capture_output=True, text=True, errors="replace", check=False
            )
            errors = [line for line in said.stderr.splitlines() if "error" in line]
            foreign = own and any(mark in line for line in errors for mark in _ABSENT)
            if said.returncode and not foreign:
                what = (errors or ["does not compile"])[0]
                yield Fault(subject="runtime", what=what, where=f"{where}, {name}")


PACKAGE = Check(
    name="metadata.package",
    level=0,
    title="entry point, requirements, TOML and hooks are right, without an import",
    where="the package",
    run=package,
)
DECLARATIONS = Check(
    name="metadata.declarations",
    level=0,
    title="headers, emulation and device sources compile by themselves",
    where="htvm_runtime",
    run=declarations,
)
