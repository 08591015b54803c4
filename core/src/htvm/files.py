"""Writing one file: whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from htvm.errors import UsageError


def check_file_writable(path: Path) -> None:
    """See, before a minute of work, that :func:`write_file` will be able to write there.

    Raises:
        UsageError: E145.
    """
    if path.is_dir():
        raise _unwritable(path, "a folder of that name is in the way")
    there = next(parent for parent in path.absolute().parents if parent.exists())
    if not there.is_dir():
        raise _unwritable(path, f"{there} is no folder")
    if not os.access(there, os.W_OK):
        raise _unwritable(path, f"the folder {there} is read-only")


def write_file(path: Path, data: bytes) -> None:
    """Write a file under another name first, so that a failure leaves what was there before.

    Missing parents are made.

    Raises:
        UsageError: E145.
    """
    check_file_writable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    except OSError as error:
        raise _unwritable(path, str(error.strerror)) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        Path(fresh).chmod(0o666 & ~mask)
        Path(fresh).replace(path)
    except OSError as error:
        raise _unwritable(path, str(error.strerror)) from error
    finally:
        with suppress(OSError):
            Path(fresh).unlink()


def _unwritable(path: Path, seen: str) -> UsageError:
    return UsageError(
        f"cannot write {path}",
        code="E145",
        seen=seen,
        accepted="a file in a folder that can be made or written",
        hint="choose another file",
    )
