"""A page for each installed target: its hardware, its engines, and what they take."""

from __future__ import annotations

from collections.abc import Mapping

from htvm.plugins.listing import list_targets
from htvm.plugins.session import open_session
from htvm.report.target_page import target_page
from reference.markdown import page


def target_pages() -> Mapping[str, str]:
    """File name -> text of the page ``htvm target docs`` writes, and a page that lists them."""
    names = [info.name for info in list_targets()]
    pages = {f"target-{name}.md": target_page(open_session(name)) for name in names}
    toctree = ["```{toctree}", ":maxdepth: 1", "", *(f"target-{name}" for name in names), "```"]
    text = "What `htvm target docs` writes of the targets that were installed when this was built."
    return {"targets.md": page(["# Targets", "", text, "", *toctree]), **pages}
