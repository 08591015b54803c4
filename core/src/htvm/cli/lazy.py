"""A group of commands whose modules are loaded one by one, when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from htvm.errors import UsageError
from htvm.suggest import did_you_mean


class LazyGroup(click.Group):
    """Loads a command's module only when the command is asked for.

    Args:
        modules: Command name -> module that holds it as ``command``.
        options: As :class:`click.Group` takes them.
    """

    def __init__(self, *, modules: Mapping[str, str], **options: Any) -> None:
        super().__init__(**options)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, sorted."""
        del ctx
        return sorted(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        del ctx
        if cmd_name not in self._modules:
            return None
        command: click.Command = import_module(self._modules[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command the arguments begin with.

        Raises:
            UsageError: E100 there is no such command.
        """
        name = args[0]
        if name not in self._modules and not name.startswith("-"):
            meant = did_you_mean(name, self._modules)
            raise UsageError(
                f"no such command: {name}",
                seen=name,
                accepted=", ".join(self.list_commands(ctx)),
                hint=f"{meant} {ctx.command_path} --help".strip(),
            )
        return super().resolve_command(ctx, args)
