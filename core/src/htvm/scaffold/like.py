"""Shows what an installed target chose where the template chooses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

from htvm.plugins.session import Session
from htvm.target.contract import Contract
from htvm.target.hardware import Engine, Hardware
from htvm.target.pattern import Pattern
from htvm.target.source import Runtime


def choices_of(session: Session) -> str:
    """A page on a target: memories, engines with their arithmetic, patterns, driver files."""
    hardware = session.hardware
    lines = [
        f"# How {hardware.name} chose",
        "",
        f"{hardware.description}, at {hardware.clock_hz / 1e6:g} MHz. Taken from "
        f"{session.target.distribution} {session.target.version}.",
        *_memories(hardware),
        *(line for engine in hardware.engines.values() for line in _engine(engine)),
        *_patterns(session.patterns()),
        *_files(session.runtimes()),
    ]
    return "\n".join(lines) + "\n"


def _memories(hardware: Hardware) -> Iterator[str]:
    yield from ("", "## Memories", "", "| name | bytes | alignment | |", "|---|---|---|---|")
    for memory in hardware.memories.values():
        use = "networks live here" if memory is hardware.main else ""
        yield f"| `{memory.name}` | {memory.size_bytes:,} | {memory.align_bytes} | {use} |"


def _engine(engine: Engine) -> Iterator[str]:
    yield from ("", f"## Engine `{engine.name}`", "", engine.description or "No description.", "")
    for key, value in engine.parameters.items():
        yield f"- `{key} = {value}`"
    for contract in engine.contracts:
        yield from ("", f"Arithmetic of {', '.join(contract.ops)}:", "", *_contract(contract))


def _contract(contract: Contract) -> Iterator[str]:
    for field in fields(contract):
        value = getattr(contract, field.name)
        if field.name != "ops" and value != field.default:
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
            yield f"- `{field.name}`: {shown}"


def _patterns(patterns: Sequence[Pattern]) -> Iterator[str]:
    """Those of the accelerators, or the host's where there are none."""
    own = [pattern for pattern in patterns if pattern.engine != "cpu"]
    yield from ("", "## Patterns")
    for pattern in own or patterns:
        yield from ("", f"`{pattern.name}` on `{pattern.engine}`: {pattern.description}", "")
        for constraint in pattern.constraints:
            yield f"- {constraint.text}"


def _files(runtimes: Sequence[Runtime]) -> Iterator[str]:
    if not runtimes:
        return
    yield from ("", "## Driver", "")
    for runtime in runtimes:
        kinds = (
            ("header", runtime.headers),
            ("emulation", runtime.emulation),
            ("device", runtime.device),
        )
        for kind, files in kinds:
            for name, text in files.items():
                yield f"- `{name}`: {kind}, {len(text.splitlines())} lines"
