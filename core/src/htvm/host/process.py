"""Runs the worker process and speaks with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from htvm.errors import MismatchError, ToolError
from htvm.host.cache import scratch_folder
from htvm.host.compiler import Compiler
from htvm.host.watch import Watch
from htvm.host.worker import PROGRESS_BYTES, Sizes

NOT_STARTED = -1


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back for a batch.

    Attributes:
        runs: Bytes of each inference: two for every sample, one after the other.
        fault: What was wrong: ``"<layer index> <what>"``; empty if nothing.
        cycles: Cycles of each layer.
    """

    runs: tuple[bytes, ...]
    fault: str
    cycles: tuple[int, ...]


class Worker:
    """A running worker."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        sizes: Sizes,
        progress: Path,
        errors: IO[bytes],
        watch: Watch,
    ) -> None:
        self._process = process
        self._sizes = sizes
        self._progress = progress
        self._errors = errors
        self._watch = watch

    def run(self, samples: list[bytes], layers: tuple[str, ...]) -> Answer:
        """Run each sample twice.

        Args:
            samples: Each sample's inputs, joined.
            layers: Names of the layers, to say where it crashed.

        Raises:
            MismatchError: E402 the generated C crashed, E404 it did not end.
        """
        with self._watch.over(self._process, self._progress):
            return self._run(samples, layers)

    def _run(self, samples: list[bytes], layers: tuple[str, ...]) -> Answer:
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise ToolError("the worker has no streams", code="E505")
        try:
            requests.write(b"%d\n" % len(samples) + b"".join(samples))
            requests.flush()
            line = answers.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise self._crash(layers)
        head = json.loads(line)
        size = self._sizes.result
        runs = tuple(answers.read(size) for _ in range(head["runs"]))
        if any(len(run) < size for run in runs):
            raise self._crash(layers)
        return Answer(runs=runs, fault=head["fault"], cycles=tuple(head["cycles"]))

    def _crash(self, layers: tuple[str, ...]) -> MismatchError | ToolError:
        code = self._process.wait()
        self._errors.seek(0)
        text = self._errors.read().decode("utf-8", "replace")
        at = int.from_bytes(self._progress.read_bytes()[:4], "little", signed=True)
        if self._watch.expired:
            return _endless(self._watch.limit_s, layers[at] if at >= 0 else "")
        if at == NOT_STARTED:
            return ToolError(
                "the worker that runs the generated C did not start",
                code="E505",
                seen=_summary(text) or f"exit status {code}",
            )
        return MismatchError(
            f"the generated C crashed in layer {layers[at]}",
            code="E402",
            seen=_summary(text) or f"exit status {code}",
            accepted="a run to the end",
            hint="run again with --sanitize to see where, and report it",
        )


def _endless(limit_s: float, layer: str) -> MismatchError:
    where = f"layer {layer}" if layer else "what runs before its first layer"
    return MismatchError(
        f"the generated C does not come to an end in {where}",
        code="E404",
        seen=f"no progress within {limit_s:g} s",
        accepted="a run to the end",
        hint="--timeout SECONDS gives it longer; otherwise report it",
    )


def _summary(text: str) -> str:
    """The line that says what happened: a sanitizer's if there is one, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "ERROR: " in line or "runtime error:" in line]
    return (telling or lines[-1:] or [""])[0]


@contextmanager
def worker(
    library: Path, sizes: Sizes, compiler: Compiler, *, sanitize: bool, limit_s: float
) -> Iterator[Worker]:
    """Start a worker on a library, and end it afterwards.

    Args:
        library: The network.
        sizes: What goes in and out of it.
        compiler: What it was compiled with.
        sanitize: Whether it was compiled with sanitizers.
        limit_s: Seconds it may spend in one layer of one inference.
    """
    with scratch_folder(library.parent) as folder, Path(folder, "errors").open("w+b") as errors:
        progress = Path(folder) / "progress"
        progress.write_bytes(NOT_STARTED.to_bytes(PROGRESS_BYTES, "little", signed=True))
        process = subprocess.Popen(
            [sys.executable, "-m", "htvm.host.worker", str(library), str(progress)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(compiler, sanitize=sanitize),
        )
        with process:
            try:
                if process.stdin is not None:
                    process.stdin.write(json.dumps(asdict(sizes)).encode() + b"\n")
                yield Worker(process, sizes, progress, errors, Watch(limit_s))
            finally:
                process.kill()
                with suppress(BrokenPipeError):  # bytes a dead worker never took
                    process.communicate()


def _environment(compiler: Compiler, *, sanitize: bool) -> Mapping[str, str]:
    if not sanitize:
        return os.environ
    return {
        **os.environ,
        "LD_PRELOAD": sanitizer_runtime(compiler),
        "ASAN_OPTIONS": "detect_leaks=0:handle_segv=1:abort_on_error=0:exitcode=99",
        "UBSAN_OPTIONS": "print_stacktrace=0",
    }


def sanitizer_runtime(compiler: Compiler) -> str:
    """The library that has to be loaded before Python for a sanitized library to load.

    Raises:
        ToolError: E506, the compiler comes without it.
    """
    for name in ("libasan.so", "libclang_rt.asan-x86_64.so", "libclang_rt.asan.so"):
        command = [*compiler.command, f"-print-file-name={name}"]
        found = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False
        ).stdout.strip()
        if found and Path(found).is_absolute():
            return found
    raise ToolError(
        "the compiler has no AddressSanitizer",
        code="E506",
        seen=compiler.version,
        accepted="gcc or clang with its sanitizer libraries",
        hint="sudo apt-get install gcc, or leave out --sanitize",
    )
