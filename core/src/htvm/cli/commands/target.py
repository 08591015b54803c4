"""``htvm target``: what the author of a target needs."""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = {name: f"htvm.cli.commands.target_{name}" for name in ("docs", "test", "validate")}


class _Commands(click.Group):
    """Loads a command's module only when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        found: click.Command = import_module(_COMMANDS[cmd_name]).command
        return found


@click.command("target", cls=_Commands)
def command() -> None:
    """Check, test and document a target."""
