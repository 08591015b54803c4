"""Small pieces of Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence


def fenced(text: str, language: str) -> list[str]:
    """A code block."""
    return [f"```{language}", *text.strip("\n").split("\n"), "```", ""]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; bars in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return [*(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines), ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page(lines: Iterable[str]) -> str:
    """The lines as a file."""
    return "\n".join(lines).rstrip("\n") + "\n"


def schema_page(title: str, schema: dict[str, object], text: str = "") -> str:
    """A page that shows a JSON Schema."""
    return page([f"# {title}", "", text, "", *fenced(json.dumps(schema, indent=2), "json")])
