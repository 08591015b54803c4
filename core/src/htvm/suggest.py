"""Names a user may have meant, among many."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(seen: str, known: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """The names most like ``seen``, whatever their case, then those that contain it."""
    names = {name.casefold(): name for name in known}
    wanted = seen.casefold()
    alike = difflib.get_close_matches(wanted, names, n=most)
    within = [name for name in names if wanted and wanted in name]
    return tuple(names[name] for name in dict.fromkeys([*alike, *within]))[:most]


def did_you_mean(seen: str, known: Iterable[str]) -> str:
    """A question for the hint of an error; empty if nothing is like ``seen``."""
    found = closest(seen, known, most=1)
    return f"did you mean {found[0]!r}?" if found else ""


def choices(seen: str, known: Iterable[str], *, most: int = 8) -> str:
    """The names for the line ``accepted``: all if they are few, else those like ``seen``."""
    names = tuple(dict.fromkeys(known))
    if len(names) <= most:
        return ", ".join(names)
    some = closest(seen, names) or names[: most // 2]
    return f"{', '.join(some)} and {len(names) - len(some)} more"
