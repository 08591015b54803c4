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
        modules: What the module of a command ``a-b`` is called before ``a_b``.
        lines: Command name -> what it does, in a line of the group's help.
        options: As :class:`click.Group` takes them.
    """

    def __init__(self, *, modules: str, lines: Mapping[str, str], **options: Any) -> None:
        super().__init__(**options)
        self._modules = modules
        self._lines = lines

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, sorted."""
        del ctx
        return sorted(self._lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        del ctx
        if cmd_name not in self._lines:
            return None
        module = import_module(self._modules + cmd_name.replace("-", "_"))
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._lines[name]) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command the arguments begin with.

        Raises:
            UsageError: E100 there is no such command.
        """
        name = args[0]
        if name not in self._lines and not name.startswith("-"):
            meant = did_you_mean(name, self._lines)
            raise UsageError(
                f"no such command: {name}",
                seen=name,
                accepted=", ".join(self.list_commands(ctx)),
                hint=f"{meant} {ctx.command_path} --help".strip(),
            )
        return super().resolve_command(ctx, args)
