"""Puts the fake target beside the tests on the path, and a cache of their own under the host's."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HTVM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
