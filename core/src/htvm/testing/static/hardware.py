"""Looks a hardware description over: every fault with its line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from htvm.target.toml import Key, hardware_faults
from htvm.testing.outcome import Fault
from htvm.testing.static.lines import key_lines, line_of

_PARAMETER_PARTS = 3
_PARAMETER = "has to be a number, a text, true or false"


def toml_faults(path: Path, shown: str) -> tuple[Fault, ...]:
    """Everything wrong with a hardware description.

    Args:
        path: The file.
        shown: Its name in messages.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        table = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return (_fault(f"is not TOML: {error}", shown, _line_in(error)),)
    if "extends" in table:
        return ()
    lines = key_lines(text)
    found = dict(_told(key, what) for key, what in hardware_faults(table))
    return tuple(
        _fault(f"{_dotted(key)}: {what}", shown, line_of(lines, key)) for key, what in found.items()
    )


def _told(key: Key, what: str) -> tuple[Key, str]:
    """A fault by its key in the file; the types an engine's parameter may have count as one."""
    named = tuple(part for part in key if part not in {"[key]", "__pydantic_extra__"})
    inner = len(named) > _PARAMETER_PARTS and named[0] == "engine" and named[2] != "contract"
    return (named[:_PARAMETER_PARTS], _PARAMETER) if inner else (named, what)


def _dotted(key: Key) -> str:
    return ".".join(map(str, key)) or "the file"


def _line_in(error: Exception) -> int:
    """The line a parser names: ``... (at line 3, column 8)``."""
    _, _, rest = str(error).partition("at line ")
    digits = rest.partition(",")[0]
    return int(digits) if digits.isdigit() else 1


def _fault(what: str, shown: str, line: int) -> Fault:
    return Fault(subject="hardware", what=f"{shown}: {what}", where=f"{shown}:{line}")


def descriptions(folder: Path) -> Iterator[Path]:
    """The TOML files of a package that may be hardware descriptions."""
    for path in sorted(folder.rglob("*.toml")):
        if path.name != "pyproject.toml":
            yield path
