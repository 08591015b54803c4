"""How tests call the command line, and what it leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits" / "digits.onnx"


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    def refuses(self, exit_code: int, htvm_code: str, *words: str) -> None:
        """Check that the command ended with this error, and said these words about it."""
        assert (self.code, self.err.count("error[")) == (exit_code, 1), self.err
        assert f"error[HTVM-{htvm_code}]" in self.err
        for word in words:
            assert word in self.err
        assert "Traceback" not in self.err + self.out


def command(*arguments: object) -> list[str]:
    """The command line as a process's arguments."""
    return [sys.executable, "-m", "htvm.cli.main", *map(str, arguments)]


def environment(cache: Path, changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """This process's environment with changes; None removes a variable."""
    wanted = {**os.environ, "HTVM_CACHE": str(cache), **(changes or {})}
    return {name: value for name, value in wanted.items() if value is not None}


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: bytes of files, None for folders."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off")


def compiles(folder: Path, compiler: str = "gcc", *options: str) -> None:
    """Check that every C file of a project compiles by itself, and that nothing is warned of."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    includes = [f"-I{folder / name}" for name in ("include", "src", "device", "test")]
    sources = [str(path) for path in sorted(folder.rglob("*.c"))]
    done = subprocess.run(
        [compiler, *WARNINGS, *options, "-fsyntax-only", *includes, *sources],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
