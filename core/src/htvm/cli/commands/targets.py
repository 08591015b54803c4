"""``htvm targets``: what is installed, read from metadata only."""

from __future__ import annotations

import click

from htvm.cli import console, options


@click.command("targets")
@options.as_json
def command(as_json: bool) -> None:
    """List the installed targets."""
    from htvm.plugins.listing import list_targets

    found = list_targets()
    if as_json:
        rows = [
            {"name": t.name, "distribution": t.distribution, "version": t.version} for t in found
        ]
        console.print_json({"targets": rows})
        return
    if not found:
        console.print_note("no target is installed; try: pip install htvm-cpu")
        return
    columns = (("target", False), ("distribution", False), ("version", False))
    rows_of_text = ((t.name, t.distribution, t.version) for t in found)
    console.output().print(console.table(columns, rows_of_text))
