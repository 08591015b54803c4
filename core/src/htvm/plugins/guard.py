"""What every call of a plug-in's code goes through."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

_LONGEST = 400


@contextmanager
def plugin_code() -> Iterator[None]:
    """Send what a plug-in prints to stderr: stdout is for what the user asked for."""
    with redirect_stdout(sys.stderr):
        yield


def reraise_interrupt(error: BaseException) -> None:
    """Let Ctrl-C through: all else that a plug-in raises is the plug-in's fault."""
    if isinstance(error, KeyboardInterrupt):
        raise error


def cause(error: BaseException) -> str:
    """``Type: message`` of an error, short and on one line, even if its message cannot be had."""
    try:
        text = str(error)
    except Exception:  # the plug-in's own exception class may be what is broken
        text = "(its message cannot be shown)"
    return short(f"{type(error).__name__}: {text}")


def shown(value: object) -> str:
    """A value as code would put it, short, even if it cannot be put so."""
    try:
        return short(repr(value), 80)
    except Exception:  # as above
        return f"a {type(value).__name__}"


def short(text: str, longest: int = _LONGEST) -> str:
    """A text on one line, its end cut off if it is long."""
    line = " ".join(text[: 2 * longest].split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
