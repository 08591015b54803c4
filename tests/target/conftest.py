"""Puts the helpers beside the tests on the path, and their builds in a cache of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def build_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Built libraries go to a folder that ends with the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HTVM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
