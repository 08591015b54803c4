"""A target's page: its hardware, what its engines compute, and what they take, in Markdown.

Everything on it is what the code goes by: the hardware description, the contracts, and the texts of
the constraints that check layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

from htvm.plugins.session import Session
from htvm.target.contract import Contract
from htvm.target.hardware import Engine, Hardware
from htvm.target.pattern import Pattern


def target_page(session: Session) -> str:
    """The page of a session's target."""
    hardware = session.hardware
    info = session.target
    found = session.patterns()
    lines = [
        f"# {info.name}",
        "",
        f"{_sentence(hardware.description)} Brought by {info.distribution} {info.version}.",
        "",
        "## Hardware",
        "",
        *_hardware(hardware),
    ]
    for engine in hardware.engines.values():
        own = [pattern for pattern in found if pattern.engine == engine.name]
        lines += [f"## Engine {engine.name}", "", *_engine(hardware, engine, own)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _sentence(text: str) -> str:
    trimmed = text.strip().rstrip(".")
    return f"{trimmed[:1].upper()}{trimmed[1:]}." if trimmed else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = (head, ["---"] * len(head), *rows)
    return [*(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines), ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _hardware(hardware: Hardware) -> list[str]:
    rows = [("clock_hz", f"{hardware.clock_hz:,}"), ("stack_bytes", f"{hardware.stack_bytes:,}")]
    for memory in hardware.memories.values():
        main = ", the main memory" if memory.name == hardware.main_memory else ""
        rows.append((f"memory.{memory.name}.size_bytes", f"{memory.size_bytes:,}{main}"))
        rows.append((f"memory.{memory.name}.align_bytes", f"{memory.align_bytes:,}"))
        if memory.base_address is not None:
            rows.append((f"memory.{memory.name}.base_address", f"{memory.base_address:#010x}"))
    lines = _table(
        ("key", "value", "source"),
        ((f"`{key}`", value, source_of(hardware, key)) for key, value in rows),
    )
    return [*lines, "`--set KEY=VALUE` replaces any of them for one run.", ""]


def source_of(hardware: Hardware, key: str) -> str:
    """Where a number comes from, and who disagrees; a table's source holds for all it has."""
    place, source = key, hardware.sources.get(key, "")
    while not source and "." in place:
        place = place.rpartition(".")[0]
        source = hardware.sources.get(place, "")
    doubt = hardware.contested.get(key, "")
    return f"{source} **Contested:** {doubt}".strip() if doubt else source


def _engine(hardware: Hardware, engine: Engine, own: Sequence[Pattern]) -> Iterator[str]:
    if engine.description:
        yield from (_sentence(engine.description), "")
    if engine.parameters:
        keys = ((key, f"engine.{engine.name}.{key}") for key in engine.parameters)
        rows = ((f"`{k}`", _value(engine.parameters[n]), source_of(hardware, k)) for n, k in keys)
        yield from _table(("key", "value", "source"), rows)
    for contract in engine.contracts:
        yield f"### Arithmetic of {', '.join(contract.ops)}"
        yield ""
        yield from _table(("", ""), contract_rows(contract))
        source = source_of(hardware, f"engine.{engine.name}.contract")
        if source:
            yield from (_sentence(f"Source: {source}"), "")
    for pattern in own:
        yield from _pattern(pattern)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else str(value)


def contract_rows(contract: Contract) -> Iterator[tuple[str, str]]:
    """What a contract states, a row for each thing that is stated."""
    for item in fields(contract):
        value = getattr(contract, item.name)
        if item.name == "ops" or value is None or value == ():
            continue
        yield item.name.replace("_", " "), _stated(value)


def _stated(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, tuple):
        return str(value)
    if len(value) == 2 and all(isinstance(part, int) for part in value):
        return f"{value[0]} to {value[1]}"
    return ", ".join(_stated(part) for part in value)


def _pattern(pattern: Pattern) -> Iterator[str]:
    yield from (f"### {pattern.name}", "", _sentence(pattern.description), "")
    for constraint in pattern.constraints:
        yield f"- {_sentence(constraint.text)}"
    if pattern.constraints:
        yield ""
