"""C identifiers that cannot clash."""

from __future__ import annotations

import re

_WORDS = """
    auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef
    union unsigned void volatile while bool true false in out scratch main
    abs acos asin atan ceil cos cosh div exp floor fabs fma fmod free index labs log malloc
    memcmp memcpy memset pow remainder rint round signal sin sinh sqrt tan tanh time trunc
    erf gamma y0 y1 yn j0 j1 jn nearbyint near far
"""
_RESERVED = frozenset(_WORDS.split())


def identifier(text: str) -> str:
    """``text`` as a C identifier: other characters become ``_``."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII) or "_"
    return f"_{name}" if name[0].isdigit() else name


class Names:
    """Hands out C identifiers, each once.

    Args:
        taken: Identifiers already in use.
    """

    def __init__(self, taken: tuple[str, ...] = ()) -> None:
        self._taken = set(_RESERVED) | set(taken)

    def unique(self, wanted: str) -> str:
        """An unused identifier that starts like ``wanted``."""
        base = identifier(wanted)
        name, number = base, 0
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name
