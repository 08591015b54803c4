"""``htvm target test``: the conformance kit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from htvm.cli import console, options
from htvm.files import check_file_writable, write_file

if TYPE_CHECKING:
    from htvm.ir.graph import Graph
    from htvm.testing.outcome import Outcome

_EXIT_DOES_NOT_CONFORM = 7


@click.command("test")
@click.argument("target")
@click.option(
    "--level",
    type=click.IntRange(0, 5),
    default=5,
    show_default=True,
    help="Go up to this level: 0 metadata, 1 patterns, 2 tiling, 3 code, 4 numerics, 5 board.",
)
@click.option(
    "--expect",
    "expected",
    multiple=True,
    metavar="CHECK=REASON",
    help="A check known to fail; it is an error if it passes.",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A network to deploy besides the kit's own.",
)
@click.option(
    "--layers",
    type=click.IntRange(1, 10_000),
    help="Layers to draw that should be taken, all patterns together.  [default: 80]",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Hardware or option.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the scorecard as a page.")
@options.as_json
def command(target: str, level: int, as_json: bool, **values: Any) -> None:
    """Hold TARGET against what it claims: an id, a file or a folder.

    Draws hundreds of layers from its patterns, tiles, compiles and runs them, and compares every
    element with the integer reference.
    """
    from htvm.testing import Subject, run_kit
    from htvm.testing.cases import LAYERS
    from htvm.testing.static.place import locate

    if values["markdown"] is not None:
        check_file_writable(values["markdown"])
    locate(target)
    subject = Subject(
        target,
        settings=options.pairs(values["settings"], "--set"),
        given=[_graph(path) for path in values["networks"]],
        layers=values["layers"] or LAYERS,
    )
    card = run_kit(
        subject,
        level=level,
        expected=_expected(values["expected"]),
        progress=None if as_json else _Screen().show,
    )
    if values["markdown"] is not None:
        write_file(values["markdown"], card.to_markdown().encode())
    if as_json:
        console.print_json(card.to_json())
    else:
        console.output().print(card.verdict, markup=False)
    if not card.passed:
        click.get_current_context().exit(_EXIT_DOES_NOT_CONFORM)


def _expected(texts: tuple[str, ...]) -> dict[str, str]:
    """The reasons may hold equals signs, so the first one splits."""
    return {key: reason for key, _, reason in (text.partition("=") for text in texts)}


def _graph(path: Path) -> Graph:
    from htvm.frontend import integerise, read

    return integerise(read(path))


class _Screen:
    """Prints outcomes as they come, under the name of their level."""

    def __init__(self) -> None:
        self._level = -1

    def show(self, outcome: Outcome) -> None:
        """A check that was made."""
        from htvm.testing.scorecard import LEVELS, lines_of

        lines = lines_of(outcome)
        if outcome.level != self._level:
            self._level = outcome.level
            lines.insert(0, f"L{outcome.level} {LEVELS[outcome.level]}")
        console.output().print("\n".join(lines), markup=False)
