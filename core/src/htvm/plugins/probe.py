"""The process that tries one installed target, so that nothing it does is done to the others.

Started as ``python -m htvm.plugins.probe NAME``. It loads the target, asks it the hooks that need
no network, and answers with one line of JSON on the standard output it was given.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from dataclasses import asdict

from htvm.errors import HtvmError
from htvm.plugins.deprecation import HtvmDeprecation
from htvm.plugins.guard import cause, short
from htvm.plugins.session import Session, open_session
from htvm.target.check import Check

_MOST_CHECKS = 50
_LONGEST_ABOUT = 120


def main(arguments: list[str]) -> None:
    """Try a target."""
    answer = os.dup(1)
    os.dup2(2, 1)  # whatever the plug-in prints must not mix with the answer
    (name,) = arguments
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = _try(name)
    notes = [short(str(one.message)) for one in caught if issubclass(one.category, HtvmDeprecation)]
    text = json.dumps({**found, "notes": notes[:_MOST_CHECKS]})
    with os.fdopen(answer, "w", encoding="utf-8") as stream:
        stream.write(text)
    os._exit(0)  # without waiting for threads and exit handlers of the plug-in


def _try(name: str) -> dict[str, object]:
    try:
        session = open_session(name)
        checks = [_bounded(check) for check in _checks(session)]
        return {"checks": checks, "about": _about(session)}
    except HtvmError as error:
        fields = ("message", "code", "seen", "accepted", "hint")
        return {"error": {field: short(getattr(error, field)) for field in fields}}
    except Exception as error:  # core tripped over what the plug-in gave it
        return {"error": {"message": "the target cannot be used", "seen": cause(error)}}


def _checks(session: Session) -> tuple[Check, ...]:
    session.patterns()
    session.runtimes()
    return session.checks()[:_MOST_CHECKS]


def _about(session: Session) -> str:
    engines = ", ".join(session.hardware.engines)
    return short(f"{session.hardware.description} ({engines})", _LONGEST_ABOUT)


def _bounded(check: Check) -> dict[str, object]:
    texts = {key: short(str(value)) for key, value in asdict(check).items()}
    return {**texts, "ok": bool(check.ok)}


if __name__ == "__main__":
    main(sys.argv[1:])
