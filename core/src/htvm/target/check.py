"""A finding of ``htvm doctor``. Stands alone so that the command line loads no arrays for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding of ``htvm doctor``.

    Attributes:
        name: What was looked at.
        ok: Whether it is fine.
        detail: What was found.
        hint: What to do when it is not fine.
    """

    name: str
    ok: bool
    detail: str
    hint: str = ""
