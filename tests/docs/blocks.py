"""Finds the fenced code blocks of a page and runs them, in order, in a folder of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
RUN = ("sh", "python", "c", "toml")
"""Languages whose blocks are run, compiled or read; others are only shown."""

_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<head>[^\n`]*)\n(?P<body>.*?)^(?P=fence)$", flags=re.MULTILINE | re.DOTALL
)
_DIRECTIVE = re.compile(r"\{code-block\} (?P<language>\w+)")
_CAPTION = re.compile(r"\A:caption: (?P<file>\S+)\n+")
_INSTALLED = (
    (r"python3 -m venv \S+", "true"),
    (r"pip install -e (\./htvm-\w+)", rf"python {Path(__file__).with_name('install.py')} site \1"),
    (r"\S*pip install [^&\n]*", "true "),
    (r"source \S+/activate", "true"),
    (r"\.venv/bin/", ""),
)
"""What the environment of the tests has done already, as pattern and replacement."""
_TIMEOUT_S = 600


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block.

    Attributes:
        page: Path of its page, seen from the repository.
        line: Line of the page it begins on.
        language: ``"sh"``, ``"python"``, ``"c"``, ``"toml"``, or one that is only shown.
        file: The file it is a part of, where its caption says so.
        text: What is in it.
    """

    page: str
    line: int
    language: str
    file: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [_block(page, text, match) for match in _FENCE.finditer(text)]


def _block(page: Path, text: str, match: re.Match[str]) -> Block:
    directive = _DIRECTIVE.fullmatch(match["head"].strip())
    caption = _CAPTION.match(match["body"]) if directive else None
    return Block(
        page=str(page.relative_to(ROOT)),
        line=text.count("\n", 0, match.start()) + 1,
        language=directive["language"] if directive else match["head"].strip(),
        file=caption["file"] if caption else "",
        text=match["body"][caption.end() if caption else 0 :],
    )


def prepare(folder: Path) -> None:
    """What a reader of the pages has: a clone, and networks and samples of their own."""
    for name in ("examples", "docs/reference/mini"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    digits = folder / "examples" / "digits"
    for copy in ("network.onnx", "digits.onnx"):
        shutil.copy(digits / "digits.onnx", folder / copy)
    shutil.copy(digits / "digits_float.onnx", folder / "float.onnx")
    shutil.copy(digits / "test.npz", folder / "samples.npz")
    images = np.load(digits / "test.npz")["images"][:4]
    np.savez(folder / "photos.npz", pixels=(images.astype(np.int16) + 128).astype(np.uint8))


def run(block: Block, folder: Path) -> None:
    """Run, compile, read or compare a block.

    Raises:
        AssertionError: It does not do what the page says.
    """
    where = f"{block.page}:{block.line}"
    if block.file:
        _compare(block, folder, where)
    elif block.language == "sh":
        _check(["bash", "-euo", "pipefail", "-c", installed(block.text)], folder, where)
    elif block.language == "python":
        _check([sys.executable, "-c", block.text], folder, where)
    elif block.language == "c":
        _compile(block, folder, where)
    elif block.language == "toml":
        tomllib.loads(block.text)


def installed(text: str) -> str:
    """Commands as they are where everything is installed already."""
    for pattern, replacement in _INSTALLED:
        text = re.sub(pattern, replacement, text)
    return text


def _compare(block: Block, folder: Path, where: str) -> None:
    """Whether each paragraph of a block is in its file; ``...`` stands for what is left out."""
    text = (folder / block.file).read_text(encoding="utf-8")
    for part in re.split(r"^ *(?:#|//|/\*)? ?\.\.\.(?: \*/)?\n", block.text, flags=re.MULTILINE):
        assert part.strip("\n") in text, f"{where}: {block.file} does not hold\n{part}"


def _compile(block: Block, folder: Path, where: str) -> None:
    headers = sorted({path.parent for path in folder.glob("build/*/include/*.h")})
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    source = folder / "block.c"
    source.write_text(block.text, encoding="utf-8")
    includes = [f"-I{path}" for path in headers]
    _check(["cc", *flags, *includes, "-c", str(source), "-o", os.devnull], folder, where)


def _check(command: list[str], folder: Path, where: str) -> None:
    bin_folder = str(Path(sys.executable).parent)
    variables = {
        **os.environ,
        "PATH": os.pathsep.join([bin_folder, os.environ["PATH"]]),
        "PYTHONPATH": str(folder / "site"),
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{where}\n{done.stdout}\n{done.stderr}"
