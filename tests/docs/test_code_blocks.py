"""Every code block of the documentation runs, page by page, as a reader would do it."""

from __future__ import annotations

from pathlib import Path

import pytest
from blocks import ROOT, RUN, blocks, prepare, run

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = {"text", "console", "json", "{toctree}"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_say_what_they_are(page: Path) -> None:
    for block in blocks(page):
        assert block.language in {*RUN, *SHOWN}, f"{block.page}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_run(page: Path, tmp_path: Path) -> None:
    wanted = [block for block in blocks(page) if block.language in RUN]
    if not wanted:
        pytest.skip("the page has no blocks to run")
    prepare(tmp_path)

    for block in wanted:
        run(block, tmp_path)
