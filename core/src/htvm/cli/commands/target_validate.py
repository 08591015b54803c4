"""``htvm target validate``: everything wrong with a target that shows without running a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from htvm.cli import console, options

if TYPE_CHECKING:
    from htvm.testing.scorecard import Scorecard

_EXIT_NOT_VALID = 7


@click.command("validate")
@click.argument("target")
@options.as_json
def command(target: str, as_json: bool) -> None:
    """Look TARGET over: an installed target's id, a file, or a project's folder.

    Metadata, TOML and source code first, without importing anything; then, if they are in order,
    hooks, patterns, runtime files and C declarations.
    """
    from htvm.testing.validating import validate

    card = validate(target)
    if as_json:
        console.print_json(_document(card))
    else:
        _show(card)
    if not card.passed:
        click.get_current_context().exit(_EXIT_NOT_VALID)


def _document(card: Scorecard) -> dict[str, object]:
    return {
        "target": card.target,
        "valid": card.passed,
        "problems": [
            {"check": outcome.check, "what": fault.what, "where": fault.where}
            for outcome in card.outcomes
            for fault in outcome.faults
        ],
    }


def _show(card: Scorecard) -> None:
    screen = console.output()
    problems = [fault for outcome in card.outcomes for fault in outcome.faults]
    for fault in problems:
        screen.print(f" ✗ {fault.what}\n     look at: {fault.where}", markup=False)
    checked = ", ".join(outcome.check for outcome in card.outcomes if not outcome.faults)
    if card.passed:
        screen.print(f"{card.target} is valid: {checked}", markup=False)
    else:
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        screen.print(f"{card.target} is not valid: {count}", markup=False)
