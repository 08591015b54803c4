"""The folder of built objects: files that are used again only as they were written."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from htvm.errors import ToolError

KEEP_SECONDS = 30 * 24 * 3600
"""Files not used for so long are removed."""
_SEAL = ".sha256"


def cache_folder() -> Path:
    """Where built libraries are kept: ``$HTVM_CACHE``, else the user's cache folder.

    Raises:
        ToolError: E504, the user has no home.
    """
    named = os.environ.get("HTVM_CACHE")
    if named:
        return Path(named).absolute()
    import platformdirs

    try:
        folder = Path(platformdirs.user_cache_dir("htvm"))
    except RuntimeError as error:
        raise _homeless(str(error)) from error
    if not folder.is_absolute():
        raise _homeless(str(folder))
    return folder


def _homeless(seen: str) -> ToolError:
    return ToolError(
        "there is no home folder to keep a cache in",
        code="E504",
        seen=seen,
        hint="set HTVM_CACHE to a folder that can be written",
    )


def scratch_folder(cache: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder for what lives no longer than a run.

    Raises:
        ToolError: E504, the cache cannot be written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=cache)
    except OSError as error:
        raise unwritable(cache, error) from error


def unwritable(cache: Path, error: OSError) -> ToolError:
    """The error for a cache that cannot be written."""
    return ToolError(
        f"cannot write to the cache {cache}",
        code="E504",
        seen=error.strerror or str(error),
        hint="set HTVM_CACHE to a folder that can be written",
    )


def is_intact(file: Path) -> bool:
    """Whether the file is there, byte for byte as it was kept; it then counts as used now."""
    try:
        seal = _seal(file).read_text(encoding="ascii", errors="replace")
        intact = seal == hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return False
    if intact:
        with suppress(OSError):
            file.touch()
    return intact


def keep(fresh: Path, file: Path) -> None:
    """Move a file that is ready to its place, and seal it.

    Raises:
        OSError: The cache cannot be written.
    """
    seal = fresh.with_name(fresh.name + _SEAL)
    seal.write_text(hashlib.sha256(fresh.read_bytes()).hexdigest(), encoding="ascii")
    fresh.replace(file)
    seal.replace(_seal(file))


def forget_old(cache: Path) -> None:
    """Remove files that were not used for long; other processes may do the same."""
    limit = time.time() - KEEP_SECONDS
    for file in cache.iterdir():
        with suppress(OSError):
            if file.suffix in {".o", ".so"} and file.stat().st_mtime < limit:
                file.unlink()
                _seal(file).unlink()


def _seal(file: Path) -> Path:
    return file.with_name(file.name + _SEAL)
