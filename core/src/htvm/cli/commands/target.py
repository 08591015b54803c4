"""``htvm target``: what the author of a target needs."""

from __future__ import annotations

import click

from htvm.cli.lazy import LazyGroup

_COMMANDS = {
    "docs": "Write the page of a target's engines and supported ops.",
    "test": "Run the conformance kit on a target.",
    "validate": "Check a plug-in without running any of its layers.",
}


@click.command(
    "target",
    cls=LazyGroup,
    modules="htvm.cli.commands.target_",
    lines=_COMMANDS,
    invoke_without_command=True,
)
@click.pass_context
def command(context: click.Context) -> None:
    """Check, test and document a target."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
