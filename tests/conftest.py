"""Where the tests that cross packages find real networks, and what they share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

sys.path.insert(0, str(ROOT / "tests" / "common"))


def models_folder() -> Path | None:
    """The folder of real networks: ``HTVM_MODELS``, or ``models`` in a folder beside this one."""
    candidates = [os.environ.get("HTVM_MODELS", ""), str(ROOT.parent / "shared" / "models")]
    return next((Path(path) for path in candidates if path and Path(path).is_dir()), None)


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of real networks; without it the test is skipped, and says so."""
    folder = models_folder()
    if folder is None:
        pytest.skip("no real networks: set HTVM_MODELS or put them in ../shared/models")
    return folder
