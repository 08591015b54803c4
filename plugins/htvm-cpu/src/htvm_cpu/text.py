"""Pieces of C text: blocks, loops, literals."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

Lines = list[str]

_INT32_MIN = -(2**31)
_GROUP = 4
_LONGEST_LOADS = 64
"""Characters of loads that share a line."""


def block(head: str, body: Sequence[str]) -> Lines:
    """``head { body }``, the body indented."""
    return [f"{head} {{", *(f"    {line}" if line else line for line in body), "}"]


def loop(index: str, count: int | str, body: Sequence[str], *, step: int = 1) -> Lines:
    """A counted loop from 0."""
    advance = f"{index}++" if step == 1 else f"{index} += {step}"
    return block(f"for (int32_t {index} = 0; {index} < {count}; {advance})", body)


def integer(value: int) -> str:
    """A C literal of an integer that int64 holds."""
    if _INT32_MIN < value < 2**31:
        return str(value)
    if value == _INT32_MIN:
        return "INT32_MIN"
    return f"INT64_C({value})" if value > -(2**63) else "INT64_MIN"


def real(value: float) -> str:
    """A C literal of a float32, exact."""
    single = np.float32(value)
    if np.isinf(single):
        return "INFINITY" if single > 0 else "-INFINITY"
    if np.isnan(single):
        return "NAN"
    return f"{float(single).hex()}f"


def grouped_copies(kind: str, copies: Sequence[tuple[str, str]]) -> Lines:
    """Assignments ``target = source``, each four loads before their stores: none has to wait."""
    lines: Lines = []
    for first in range(0, len(copies), _GROUP):
        group = list(enumerate(copies[first : first + _GROUP], start=first))
        loads = [f"e{number} = {source}" for number, (_, source) in group]
        if sum(map(len, loads)) <= _LONGEST_LOADS:
            lines.append(f"const {kind} {', '.join(loads)};")
        else:
            lines += [f"const {kind} {load};" for load in loads]
        lines += [f"{target} = e{number};" for number, (target, _) in group]
    return lines


def plus(value: str, addend: int) -> str:
    """``value + addend`` without a useless zero."""
    if addend == 0:
        return value
    sign = "+" if addend > 0 else "-"
    return f"{value} {sign} {integer(abs(addend))}"


def pruned(lines: Sequence[str]) -> Lines:
    """Lines without the constants and pointers nobody reads: strict compilers complain of them."""
    kept: Lines = []
    for line in reversed(lines):
        name = _declared(line)
        if name is None or _is_read(name, _indent(line), kept):
            kept.append(line)
    return kept[::-1]


_DECLARATION = re.compile(r"\s*(?:const )?\w+ (?:\*const |\*)?(\w+) = .*;$")


def _declared(line: str) -> str | None:
    match = _DECLARATION.match(line)
    return None if match is None or "return" in line else match.group(1)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_read(name: str, indent: int, following_reversed: Sequence[str]) -> bool:
    word = re.compile(rf"\b{name}\b")
    for line in reversed(following_reversed):
        if _indent(line) < indent:
            return False
        if word.search(line):
            return True
    return False
