"""Writes a rendered package to a new folder: all of it or nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from htvm.errors import UsageError


def write_package(files: Mapping[str, str], folder: Path) -> None:
    """Write the files to a folder that does not exist or is empty.

    Raises:
        UsageError: E151 there is something there already, E145 the folder cannot be written.
    """
    try:
        taken = folder.is_symlink() or (folder.exists() and not _is_empty(folder))
        if not taken:
            _write(files, folder.resolve())
    except OSError as error:
        raise UsageError(
            f"cannot write to {folder}",
            code="E145",
            seen=error.strerror or str(error),
            accepted="a folder that can be made",
            hint="choose another folder with -o",
        ) from error
    if taken:
        raise UsageError(
            f"{folder} is there already",
            code="E151",
            seen="a link" if folder.is_symlink() else "a file, or a folder that is not empty",
            accepted="a new or empty folder: nothing is ever written over",
            hint="choose another folder with -o, or move this one away",
        )


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and next(folder.iterdir(), None) is None


def _write(files: Mapping[str, str], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        fresh = Path(scratch, "package")
        for path, text in files.items():
            file = fresh / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        if folder.exists():
            folder.rmdir()
        shutil.move(fresh, folder)
