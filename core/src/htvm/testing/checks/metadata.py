"""Level 0: the target loads and describes itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from htvm.codegen.runtimes import join
from htvm.errors import HtvmError
from htvm.target.hardware import Hardware
from htvm.testing.checks.check import Check, counted
from htvm.testing.outcome import Fault, Verdict
from htvm.testing.subject import Subject


def loads(subject: Subject) -> Verdict:
    """The target is imported, speaks this version of the interface, and its hooks fit."""
    try:
        session = subject.session
    except HtvmError as error:
        return Verdict(faults=(_fault(error, "plug-in", "the class the entry point names"),))
    info = session.target
    return Verdict(looked_at=f"{info.entry} of {info.distribution} {info.version}")


def hardware(subject: Subject) -> Verdict:
    """Sources and contested numbers name keys the description has."""
    found = subject.session.hardware
    faults = [
        Fault(
            subject="hardware",
            what=f"[{table}] names {key!r}, which the description does not have",
            where="hardware.toml",
        )
        for table, keys in (("sources", found.sources), ("contested", found.contested))
        for key in keys
        if not _has(found, key)
    ]
    parts = (
        counted(len(found.memories), "memory", "memories"),
        counted(len(found.engines), "engine"),
    )
    return Verdict(looked_at=", ".join(parts), faults=tuple(faults))


def _has(found: Hardware, key: str) -> bool:
    group, _, rest = key.partition(".")
    if group == "memory":
        return rest.partition(".")[0] in found.memories
    if group == "engine":
        name = next((name for name in found.engines if f"{rest}.".startswith(f"{name}.")), None)
        known = {"contract", "description", *found.engines[name].parameters} if name else set()
        return name is not None and (rest == name or rest[len(name) + 1 :].split("[")[0] in known)
    return hasattr(found, group)


def patterns(subject: Subject) -> Verdict:
    """Patterns have names of their own, engines that exist, and a description."""
    found = subject.session.patterns()
    engines = subject.session.hardware.engines
    twice = Counter((pattern.engine, pattern.name) for pattern in found)
    faults = []
    for (engine, name), count in twice.items():
        if count > 1:
            faults.append(_about(name, f"{count} patterns of {engine} are called {name!r}"))
    for pattern in found:
        if pattern.engine not in engines:
            known = ", ".join(engines)
            what = f"pattern {pattern.name!r} names engine {pattern.engine!r}; there are {known}"
            faults.append(_about(pattern.name, what))
        if not pattern.description.strip():
            faults.append(_about(pattern.name, f"pattern {pattern.name!r} has no description"))
    if not found:
        faults.append(_about("patterns", "the target has no patterns"))
    return Verdict(looked_at=counted(len(found), "pattern"), faults=tuple(faults))


def _about(subject: str, what: str) -> Fault:
    return Fault(subject=subject, what=what, where="htvm_patterns")


def runtime(subject: Subject) -> Verdict:
    """Runtime files can be shipped together, and functions they name are declared."""
    session = subject.session
    try:
        joined = join(session.runtimes())
    except HtvmError as error:
        return Verdict(faults=(_fault(error, "runtime", "htvm_runtime"),))
    texts = [*joined.headers.values(), *joined.emulation.values()]
    faults = [
        Fault(
            subject="runtime",
            what=f"{role} names the function {name!r}, which no header or emulation file has",
            where="htvm_runtime",
        )
        for role, names in (("cycles", joined.cycles), ("error", joined.errors))
        for name in names
        if not any(name in text for text in texts)
    ]
    faults += _unfilled((*joined.begins, *joined.ends))
    files = len(joined.headers) + len(joined.emulation) + len(joined.device)
    return Verdict(looked_at=counted(files, "file"), faults=tuple(faults))


def _unfilled(statements: tuple[str, ...]) -> Iterator[Fault]:
    for text in statements:
        rest = text.replace("{regions}", "").replace("{count}", "")
        if "{" in rest or "}" in rest:
            what = f"{text!r} has a placeholder other than {{regions}} and {{count}}"
            yield Fault(subject="runtime", what=what, where="begin and end of htvm_runtime")


def _fault(error: HtvmError, subject: str, where: str) -> Fault:
    parts = (f"{error.message} [HTVM-{error.code}]", error.seen, error.accepted)
    return Fault(subject=subject, what=": ".join(part for part in parts if part), where=where)


CHECKS = (
    Check(
        name="metadata.loads",
        level=0,
        title="the target loads, and its hooks are htvm's",
        where="the plug-in class",
        run=loads,
    ),
    Check(
        name="metadata.hardware",
        level=0,
        title="every source belongs to a number of the hardware description",
        where="hardware.toml",
        run=hardware,
    ),
    Check(
        name="metadata.patterns",
        level=0,
        title="patterns have unique names, known engines and descriptions",
        where="htvm_patterns",
        run=patterns,
    ),
    Check(
        name="metadata.runtime",
        level=0,
        title="runtime files can be shipped and declare what they name",
        where="htvm_runtime",
        run=runtime,
    ),
)
