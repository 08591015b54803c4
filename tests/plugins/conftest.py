"""Installs distributions for a test, and calls the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import fakes
from running import python
from shell import DIGITS, Outcome

from htvm.cli.main import run


@pytest.fixture(scope="session")
def digits() -> Path:
    """The example network."""
    return DIGITS


@pytest.fixture(scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _cache: Path) -> Iterator[Path]:
    """A folder on the path; what is imported from it is forgotten after the test."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setenv("HTVM_CACHE", str(_cache))
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("htvm_"):
            del sys.modules[name]


@pytest.fixture
def install(site: Path) -> Callable[..., str]:
    """Installs a made-up distribution; see :func:`fakes.install`."""

    def add(name: str, source: str | None = fakes.CHIP, **options: Any) -> str:
        owner = fakes.install(site, name, source, **options)
        invalidate_caches()
        return owner

    return add


@pytest.fixture
def htvm(capsys: pytest.CaptureFixture[str], site: Path) -> Callable[..., Outcome]:
    """Runs the command line in this process."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture
def process(site: Path) -> Callable[..., Outcome]:
    """Runs Python in a process of its own that sees what the test installed."""

    return partial(python, site)
