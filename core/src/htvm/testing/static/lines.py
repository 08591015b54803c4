"""Finds the line of a key in a TOML file, which the standard library's parser does not tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from htvm.target.toml import Key

_PART = re.compile(r'"([^"]*)"|\'([^\']*)\'|([\w-]+)')
_NAME = r"""(?:"[^"]*"|'[^']*'|[\w-]+)"""
_KEYS = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_LISTED = re.compile(rf"^\s*\[\[\s*({_KEYS})\s*\]\]")
_TABLE = re.compile(rf"^\s*\[\s*({_KEYS})\s*\]")
_VALUE = re.compile(rf"^\s*({_KEYS})\s*=")


def key_lines(text: str) -> Mapping[Key, int]:
    """The line, from 1, of every table and key."""
    found: dict[Key, int] = {}
    counts: Counter[Key] = Counter()
    table: Key = ()
    for number, line in enumerate(text.splitlines(), 1):
        listed, header, value = (rule.match(line) for rule in (_LISTED, _TABLE, _VALUE))
        if listed:
            name = _parts(listed[1])
            table = (*name, counts[name])
            counts[name] += 1
            found.setdefault(table, number)
        elif header:
            table = _parts(header[1])
            for length in range(1, len(table) + 1):
                found.setdefault(table[:length], number)
        elif value:
            found.setdefault((*table, *_parts(value[1])), number)
    return found


def _parts(text: str) -> Key:
    return tuple(next(filter(None, part), "") for part in _PART.findall(text))


def line_of(lines: Mapping[Key, int], key: Key) -> int:
    """The line of a key or, where it is missing, of the innermost table that should have it."""
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return lines[key[:length]]
    return 1
