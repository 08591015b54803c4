"""``htvm new-target``: a package for a new chip that works at once."""

from __future__ import annotations

from pathlib import Path

import click

from htvm.cli import console

_LAYOUTS = ("channels-last", "channel-blocks", "channels-first")
_MOST_ENGINES = 6


@click.command("new-target")
@click.argument("name")
@click.option(
    "--layout",
    type=click.Choice(_LAYOUTS),
    default=_LAYOUTS[0],
    show_default=True,
    help="Where the engines want a tensor's elements.",
)
@click.option(
    "--engines",
    type=click.IntRange(1, _MOST_ENGINES),
    default=1,
    show_default=True,
    help="Engines besides the host.",
)
@click.option("--like", metavar="TARGET", help="Add a page on the choices of an installed target.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder to make.  [default: htvm-NAME]",
)
def command(name: str, layout: str, engines: int, like: str | None, output: Path | None) -> None:
    """Make a package for the target NAME: small, working, to be changed into your chip."""
    from htvm.plugins.listing import list_targets
    from htvm.scaffold.names import names
    from htvm.scaffold.render import Choices, render
    from htvm.scaffold.write import write_package

    called = names(name, tuple(target.name for target in list_targets()))
    files = dict(render(Choices(names=called, layout=layout, engines=engines)))
    if like is not None:
        files.update(_page_on(like))
    folder = output or Path(called.distribution)
    write_package(files, folder)
    screen = console.output()
    for path in sorted(files):
        screen.print(f"{folder / path}", markup=False)
    console.print_line("")
    console.print_line(f"next: pip install {_argument(folder)}")
    console.print_line(f"      htvm target test {called.target}")


def _page_on(target: str) -> dict[str, str]:
    from htvm.plugins.session import open_session
    from htvm.scaffold.like import choices_of

    session = open_session(target)
    return {f"docs/like-{session.target.name}.md": choices_of(session)}


def _argument(folder: Path) -> str:
    """A folder as pip takes it: not for the name of a package in an index."""
    return str(folder) if folder.is_absolute() else f"./{folder}"
