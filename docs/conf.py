"""Sphinx configuration; pages under reference/generated are made from the sources."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from reference import write_reference  # noqa: E402

project = "htvm"
author = "the htvm engineers"
version = release = version_of("htvm-core")
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "htvm"
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
exclude_patterns = ["_build"]

write_reference(HERE / "reference" / "generated")
