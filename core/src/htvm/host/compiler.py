"""Finds a C compiler on this machine and builds shared libraries with it, cached by content."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from htvm.errors import ToolError
from htvm.host.cache import cache_folder, forget_old, is_intact, keep, scratch_folder, unwritable

FLAGS = ("-std=c99", "-O2", "-g0", "-fPIC", "-ffp-contract=off", "-DHTVM_HOOKS")
SANITIZE = (
    "-O1",
    "-g1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
)
_INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)
_HINT = "sudo apt-get install gcc, or: pip install 'htvm-core[cc]'"


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """A C compiler.

    Attributes:
        command: How to call it.
        version: First line of what it says about itself.
    """

    command: tuple[str, ...]
    version: str


def find_compiler() -> Compiler:
    """The compiler to use: ``$HTVM_CC``, ``$CC``, cc, gcc, clang, then the package ziglang.

    Raises:
        ToolError: E501 there is none, E502 the one named by the environment does not run.
    """
    for variable in ("HTVM_CC", "CC"):
        named = os.environ.get(variable, "").strip()
        if named:
            return _named(variable, named)
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            found = _probe((name,))
            if found is not None:
                return found
    if importlib.util.find_spec("ziglang"):
        found = _probe((sys.executable, "-m", "ziglang", "cc"))
        if found is not None:
            return found
    raise ToolError(
        "no C compiler found",
        code="E501",
        seen="none of $HTVM_CC, $CC, cc, gcc, clang, ziglang",
        accepted="any C99 compiler",
        hint=_HINT,
    )


def _named(variable: str, text: str) -> Compiler:
    try:
        found = _probe(tuple(shlex.split(text)))
    except ValueError:  # a quotation mark without its partner
        found = None
    if found is None:
        raise ToolError(
            f"the C compiler named by ${variable} does not run",
            code="E502",
            seen=text,
            accepted="a command that answers to --version",
            hint=f"unset {variable}, or {_HINT}",
        )
    return found


def _probe(command: tuple[str, ...]) -> Compiler | None:
    try:
        answer = subprocess.run(
            [*command, "--version"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = answer.stdout.splitlines()
    return Compiler(command=command, version=lines[0].strip() if lines else command[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Build:
    """What to build.

    Attributes:
        files: Relative path -> text of every source and header.
        sources: Paths of those to compile.
        include_dirs: Relative folders searched for headers.
        sanitize: Whether AddressSanitizer and UndefinedBehaviorSanitizer are on.
    """

    files: Mapping[str, str]
    sources: tuple[str, ...]
    include_dirs: tuple[str, ...]
    sanitize: bool = False

    def flags(self, compiler: Compiler) -> tuple[str, ...]:
        """Compiler flags."""
        if not self.sanitize:
            return FLAGS
        shared = ("-shared-libasan",) if "clang" in compiler.version else ()
        return (*FLAGS, *SANITIZE, *shared)


def build_library(build: Build, compiler: Compiler) -> Path:
    """The shared library of a build; taken from the cache where every byte agrees.

    Raises:
        ToolError: E503 the compiler failed, E504 the cache cannot be written.
    """
    common = (*compiler.command, compiler.version, *build.flags(compiler))
    keys = [_digest((*common, path, *_flat(_reached(build.files, path)))) for path in build.sources]
    cache = cache_folder() / "objects"
    library = cache / f"{_digest((*common, *keys))}.so"
    if not is_intact(library):
        with scratch_folder(cache) as scratch:
            try:
                forget_old(cache)
                _build(build, compiler, Path(scratch), keys, library)
            except OSError as error:
                raise unwritable(cache, error) from error
    return library


def _build(
    build: Build, compiler: Compiler, folder: Path, keys: Sequence[str], library: Path
) -> None:
    for path, text in build.files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    objects = [library.with_name(f"{key}.o") for key in keys]
    includes = [f"-I{name}" for name in build.include_dirs]

    def compile_one(source: str, target: Path) -> None:
        if not is_intact(target):
            fresh = folder / target.name
            flags = [*build.flags(compiler), *includes, "-c", source, "-o", fresh.name]
            _run([*compiler.command, *flags], folder)
            keep(fresh, target)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(compile_one, build.sources, objects))
    fresh = folder / library.name
    link = ["-shared", *build.flags(compiler), *map(str, objects), "-o", fresh.name, "-lm"]
    _run([*compiler.command, *link], folder)
    keep(fresh, library)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise ToolError(
            "the C compiler failed on the generated code",
            code="E503",
            seen=_first_error(done.stderr),
            accepted="a C99 compiler",
            hint=shlex.join(command),
        )


def _first_error(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line]
    return (errors or lines or ["no message"])[0]


def _reached(files: Mapping[str, str], source: str) -> Mapping[str, str]:
    """A source and every file its includes can mean, so that what networks share is built once."""
    found = {source: files[source]}
    names = _INCLUDE.findall(files[source])
    while names:
        name = names.pop()
        for path, text in files.items():
            if path not in found and f"/{path}".endswith(f"/{name}"):
                found[path] = text
                names += _INCLUDE.findall(text)
    return found


def _flat(files: Mapping[str, str]) -> list[str]:
    return [part for item in sorted(files.items()) for part in item]


def _digest(parts: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
