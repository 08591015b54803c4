"""Writes a project to disk: all of it or nothing, and never over somebody else's files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from htvm.codegen.signals import held_back
from htvm.codegen.turns import our_turn
from htvm.errors import UsageError

MANIFEST = "manifest.json"
_MARK = "htvm project"
_BUILD = "build"
_LONGEST = 100
"""Characters of the folder's name in that of its temporary sibling."""


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
        folder: Where the project goes. Missing parents are made, and removed again on failure.

    Raises:
        UsageError: E145 the folder cannot be written, E146 it holds files htvm did not write.
    """
    target = _resolved(folder)
    made: list[Path] = []
    with held_back() as asked_to_stop:
        try:
            _make_parents(target, made)
            with our_turn(target.parent):
                _refuse_foreign(target)
                _write(files, target, asked_to_stop)
        except OSError as error:
            raise _unwritable(folder, error) from error
        finally:
            _remove_empty(made)


def check_writable(folder: Path) -> None:
    """See early that ``write_project`` will be able to write there.

    Raises:
        UsageError: as ``write_project``.
    """
    target = _resolved(folder)
    try:
        with our_turn(target.parent):
            _refuse_foreign(target)
        fault = _obstacle(target)
    except OSError as error:
        raise _unwritable(folder, error) from error
    if fault:
        raise _unwritable(folder, OSError(fault))


def _obstacle(target: Path) -> str:
    """What keeps the folder from being made or replaced; empty if nothing does."""
    if Path.cwd().is_relative_to(target):
        return "it is the current folder, or holds it"
    place = next(place for place in target.parents if os.path.lexists(place))
    for needed in (place, target) if target.exists() else (place,):
        if not needed.is_dir():
            return f"{needed} is no folder"
        if not os.access(needed, os.W_OK | os.X_OK):
            return f"{needed} is read-only"
    return ""


def _resolved(folder: Path) -> Path:
    try:
        return folder.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise _unwritable(folder, error) from error


def _make_parents(target: Path, made: list[Path]) -> None:
    """Make the folders above ``target`` that are missing, telling each as soon as it is there."""
    missing = [place for place in target.parents if not place.exists()]
    for place in reversed(missing):
        try:
            place.mkdir()
        except FileExistsError:
            continue
        made.append(place)


def _remove_empty(folders: list[Path]) -> None:
    """Remove those that hold nothing, innermost first."""
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()


def _write(files: Mapping[str, str], target: Path, asked_to_stop: list[int]) -> None:
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name[:_LONGEST]}-", dir=target.parent))
    try:
        _fill(fresh, {**files, MANIFEST: manifest(files)})
        if not asked_to_stop:
            _swap(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


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
    return [
        path.as_posix()
        for path in _files_below(target)
        if path.as_posix() not in known and (path.parts[0] != _BUILD or not known)
    ]


def _files_below(folder: Path) -> list[Path]:
    """Everything below but plain folders, relative; a link is a file, wherever it leads."""
    found = []
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        found += [Path(place, name).relative_to(folder) for name in (*files, *links)]
    return sorted(found)


def _listed(file: Path) -> set[str]:
    """The files a manifest of ours lists, itself included; nothing if it is not ours."""
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        if table["kind"] == _MARK:
            return {MANIFEST, *table["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return set()


def _unwritable(folder: Path, error: Exception) -> UsageError:
    return UsageError(
        f"cannot write to {folder}",
        code="E145",
        seen=getattr(error, "strerror", None) or str(error),
        accepted="a folder that can be made or replaced",
        hint="choose another folder with -o",
    )
