"""The list of the conformance kit's checks."""

from __future__ import annotations

from htvm.testing.kit import CATALOGUE
from reference.markdown import page, table


def checks_page() -> str:
    """Every check with what holds when it passes, in the order they are made."""
    rows = [[f"L{c.level}", f"`{c.name}`", c.title, c.where] for c in CATALOGUE]
    head = ("level", "check", "holds when it passes", "where to look")
    return page(
        ["# Checks", "", "What `htvm target test` looks at, in order.", "", *table(head, rows)]
    )
