"""``htvm target docs``: a target's page, from the objects its code goes by."""

from __future__ import annotations

from pathlib import Path

import click

from htvm.cli import console, options
from htvm.files import write_file


@click.command("docs")
@click.argument("target")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write in place of stdout."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Hardware or option.")
@options.as_json
def command(target: str, output: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Write the page of TARGET: hardware with sources, arithmetic, supported operations."""
    from htvm.plugins.session import open_session
    from htvm.report.target_page import target_page

    session = open_session(target, settings=options.pairs(settings, "--set"))
    page = target_page(session)
    if output is not None:
        write_file(output, page.encode())
    if as_json:
        where = None if output is None else str(output)
        console.print_json({"target": session.target.name, "output": where, "page": page})
    elif output is None:
        console.output().print(page, markup=False, end="")
