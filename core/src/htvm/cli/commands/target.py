"""``htvm target``: what the author of a target needs."""

from __future__ import annotations

import click

from htvm.cli.lazy import LazyGroup

_COMMANDS = {name: f"htvm.cli.commands.target_{name}" for name in ("docs", "test", "validate")}


@click.command("target", cls=LazyGroup, modules=_COMMANDS)
def command() -> None:
    """Check, test and document a target."""
