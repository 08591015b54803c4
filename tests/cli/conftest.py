"""The command line as its users meet it: in this process, or in one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from shell import DIGITS, Outcome, command, environment

from htvm.cli.main import run


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that all tests of this folder share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def htvm(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cache: Path
) -> Callable[..., Outcome]:
    """Runs the command line in this process."""
    monkeypatch.setenv("HTVM_CACHE", str(cache))

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture
def process(cache: Path) -> Callable[..., Outcome]:
    """Runs the command line in a process of its own."""

    def call(
        *arguments: object,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        **options: Any,
    ) -> Outcome:
        done = subprocess.run(
            command(*arguments),
            cwd=cwd,
            env=environment(cache, env),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=60,
            **options,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def digits() -> onnx.ModelProto:
    """The example network, to be spoilt."""
    return onnx.load(DIGITS)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Writes a network without checking it."""

    def write(model: onnx.ModelProto, name: str = "net.onnx") -> Path:
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return write
