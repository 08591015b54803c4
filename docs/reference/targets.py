"""A page for each installed target: its hardware, its engines, and what they take."""

from __future__ import annotations

from collections.abc import Mapping

from htvm.plugins.listing import list_targets
from htvm.plugins.session import Session, open_session
from htvm.target.hardware import Hardware
from htvm.target.pattern import Pattern
from reference.markdown import page, table


def target_pages() -> Mapping[str, str]:
    """File name -> text, and a page that lists them."""
    names = [info.name for info in list_targets()]
    pages = {f"target-{name}.md": target_page(open_session(name)) for name in names}
    toctree = ["```{toctree}", ":maxdepth: 1", "", *(f"target-{name}" for name in names), "```"]
    text = "Hardware and supported operations of the targets installed where this was built."
    return {"targets.md": page(["# Targets", "", text, "", *toctree]), **pages}


def target_page(session: Session) -> str:
    """The hardware's numbers, and every pattern with its constraints."""
    hardware = session.hardware
    lines = [f"# {session.target.name}", "", f"{hardware.description}.", ""]
    lines += ["## Hardware", "", *_hardware(hardware)]
    for engine in hardware.engines.values():
        patterns = [pattern for pattern in session.patterns() if pattern.engine == engine.name]
        lines += [f"## Engine `{engine.name}`", "", f"{engine.description}.", ""]
        for pattern in patterns:
            lines += _pattern(pattern)
    return page(lines)


def _hardware(hardware: Hardware) -> list[str]:
    rows = [
        ["`clock_hz`", f"{hardware.clock_hz:,}"],
        ["`stack_bytes`", f"{hardware.stack_bytes:,}"],
    ]
    for memory in hardware.memories.values():
        rows.append([f"`memory.{memory.name}.size_bytes`", f"{memory.size_bytes:,}"])
        rows.append([f"`memory.{memory.name}.align_bytes`", f"{memory.align_bytes:,}"])
    for engine in hardware.engines.values():
        rows += [[f"`engine.{engine.name}.{k}`", str(v)] for k, v in engine.parameters.items()]
    return table(
        ["key", "value", "source"],
        ([key, value, _source(hardware, key.strip("`"))] for key, value in rows),
    )


def _source(hardware: Hardware, key: str) -> str:
    doubt = hardware.contested.get(key)
    source = hardware.sources.get(key, "")
    return f"{source} *Contested:* {doubt}".strip() if doubt else source


def _pattern(pattern: Pattern) -> list[str]:
    wants = [f"- {constraint.text}" for constraint in pattern.constraints]
    return [f"### {pattern.name}", "", f"{pattern.description}.", "", *wants, ""]
