"""Every error code has one meaning that is written down, and none is written down for nothing."""

from __future__ import annotations

import re
from pathlib import Path

from htvm import errors
from htvm.codes import CODES
from htvm.remedies import REMEDIES

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = {
    kind.default_code
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.HtvmError)
    and kind is not errors.HtvmError
}
NOBODYS = errors.HtvmError.default_code


def _raised() -> set[str]:
    """Codes that appear as string literals in the sources of all distributions."""
    found = set()
    for path in ROOT.glob("**/src/**/*.py"):
        if path.name not in {"codes.py", "remedies.py"}:
            found |= set(re.findall(r'["\'](E\d{3})["\']', path.read_text(encoding="utf-8")))
    return found - {NOBODYS} - DEFAULTS


def test_every_raised_code_is_explained() -> None:
    assert _raised() <= set(CODES)


def test_every_explained_code_is_raised() -> None:
    assert set(CODES) <= _raised() | DEFAULTS


def test_meanings_are_sentences() -> None:
    for code, meaning in CODES.items():
        assert meaning.startswith("--") or meaning[0].isupper(), code
        assert meaning.endswith("."), code


def test_every_code_has_a_remedy() -> None:
    assert set(REMEDIES) == set(CODES)
    for code, remedy in REMEDIES.items():
        assert remedy.endswith("."), code
