"""Everything that can be said of a target without importing it."""

from __future__ import annotations

import ast
import platform

from htvm.errors import HtvmError
from htvm.plugins.handshake import check_requirements
from htvm.testing.outcome import Fault
from htvm.testing.static.hardware import toml_faults
from htvm.testing.static.hooks import Source, source_faults
from htvm.testing.static.place import Place


def static_faults(place: Place) -> tuple[Fault, ...]:
    """What is wrong with metadata, hardware descriptions and source code."""
    found = [*place.faults, *_requirements(place)]
    for path in place.tables:
        found += toml_faults(path, _shown(place, path))
    for path in place.sources:
        text = path.read_text("utf-8", errors="replace")
        found += source_faults(Source(text=text, shown=_shown(place, path)), place.info)
    return (*found, *_missing_class(place))


def _shown(place: Place, path: object) -> str:
    text, root = str(path), str(place.root)
    return text.removeprefix(root).lstrip("/\\") or text


def _requirements(place: Place) -> list[Fault]:
    found = []
    try:
        check_requirements(place.info)
    except HtvmError as error:
        what = f"{error.message}: {error.seen}; {error.accepted}".rstrip("; ")
        found.append(Fault(subject="package", what=what, where=error.hint or "dependencies"))
    if place.python and not _python_fits(place.python):
        what = f"requires-python {place.python!r} excludes this Python, {platform.python_version()}"
        found.append(Fault(subject="package", what=what, where="pyproject.toml"))
    return found


def _python_fits(wanted: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(wanted).contains(platform.python_version(), prereleases=True)
    except InvalidSpecifier:
        return False


def _missing_class(place: Place) -> list[Fault]:
    """The entry point's class, if no file of the package defines or imports the name."""
    module, _, name = place.info.entry.partition(":")
    last = module.split(".")[-1]
    files = [path for path in place.sources if last in {path.stem, path.parent.name}]
    if not name or name.endswith(".toml") or not files:
        return []
    if any(name in _names(path.read_text("utf-8", errors="replace")) for path in files):
        return []
    what = f"entry point {place.info.entry!r}: {module} has no {name!r}"
    return [Fault(subject="package", what=what, where=_shown(place, files[0]))]


def _names(text: str) -> set[str]:
    """Names a module defines or imports; empty text for one that is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found
