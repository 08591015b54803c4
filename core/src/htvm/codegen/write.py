"""Writes a project to disk: all of it or nothing, and never over somebody else's files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from htvm.errors import UsageError

MANIFEST = "manifest.json"
_MARK = "htvm project"
_BUILD = "build"


def manifest(files: Mapping[str, str]) -> str:
    """The manifest of a project: every file with its digest; no times, no absolute paths."""
    table = {
        "kind": _MARK,
        "schema_version": 1,
        "htvm_version": version("htvm-core"),
        "files": {
            path: hashlib.sha256(text.encode()).hexdigest() for path, text in sorted(files.items())
        },
    }
    return json.dumps(table, indent=2) + "\n"


def write_project(files: Mapping[str, str], folder: Path) -> None:
    """Write the files and their manifest to ``folder``, replacing an earlier project there.

    Everything is first written to a sibling folder, which then takes the place of the old one, so
    that a run that fails or is interrupted leaves the old one as it was.

    Args:
        files: Relative path -> text.
        folder: Where the project goes. Its parent is made if only that is missing.

    Raises:
        UsageError: E145 the folder cannot be written, E146 it holds files htvm did not write.
    """
    target = folder.resolve()
    _refuse_foreign(target)
    try:
        target.parent.mkdir(exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _fill(fresh, {**files, MANIFEST: manifest(files)})
        _swap(fresh, target)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def check_writable(folder: Path) -> None:
    """See early that ``write_project`` will be able to write there.

    Raises:
        UsageError: as ``write_project``.
    """
    target = folder.resolve()
    _refuse_foreign(target)
    places = [target.parent if target.parent.exists() else target.parent.parent]
    places += [target] if target.exists() else []
    for place in places:
        if not place.is_dir():
            raise _unwritable(folder, FileNotFoundError(2, f"there is no folder {place}"))
        if not os.access(place, os.W_OK | os.X_OK):
            raise _unwritable(folder, PermissionError(13, f"{place} is read-only"))


def _fill(folder: Path, files: Mapping[str, str]) -> None:
    mask = os.umask(0)
    os.umask(mask)
    folder.chmod(0o777 & ~mask)
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")


def _swap(fresh: Path, target: Path) -> None:
    """Put ``fresh`` in the place of ``target``; put the old one back if that fails."""
    old = fresh.with_name(f"{fresh.name}.old")
    moved = target.exists()
    if moved:
        target.rename(old)
    try:
        fresh.rename(target)
    except BaseException:
        if moved:
            old.rename(target)
        raise
    if moved:
        shutil.rmtree(old, ignore_errors=True)


def _refuse_foreign(target: Path) -> None:
    if target.is_dir():
        foreign = _foreign_files(target)
    elif target.exists():
        foreign = [target.name]
    else:
        foreign = []
    if foreign:
        some = ", ".join(foreign[:3]) + (", .." if len(foreign) > 3 else "")
        raise UsageError(
            f"{target} holds files that htvm did not write",
            code="E146",
            seen=some,
            accepted="a new or empty folder, or one that htvm wrote before",
            hint="choose another folder with -o, or move these files away",
        )


def _foreign_files(target: Path) -> list[str]:
    """Files below a folder that its manifest does not list; what ``make`` builds does not count."""
    known = _listed(target / MANIFEST)
    found = (path.relative_to(target) for path in sorted(target.rglob("*")) if not path.is_dir())
    return [
        path.as_posix()
        for path in found
        if path.as_posix() not in known and (path.parts[0] != _BUILD or not known)
    ]


def _listed(file: Path) -> set[str]:
    """The files a manifest of ours lists, itself included; nothing if it is not ours."""
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        if table["kind"] == _MARK:
            return {MANIFEST, *table["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return set()


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot write to {folder}",
        code="E145",
        seen=error.strerror or str(error),
        accepted="a folder that can be written, in a folder that exists",
        hint="choose another folder with -o",
    )
