"""Entry point: finds the command, and turns every error into one message and an exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import version

import click

from htvm.cli import console
from htvm.errors import HtvmError, InternalError, UsageError

_COMMANDS = {
    name: f"htvm.cli.commands.{name}"
    for name in ("deploy", "doctor", "explain", "inspect", "targets", "verify")
}
_INTERRUPTED = 130


class _Commands(click.Group):
    """Loads a command's module only when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(_COMMANDS[cmd_name]).command
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("htvm-core"), prog_name="htvm")
def cli() -> None:
    """Deploy trained networks to heterogeneous tinyML chips, verified on this machine."""


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code.

    Errors go to stderr for people; with ``--json`` stdout gets one document that holds the error.
    """
    as_json = "--json" in arguments
    try:
        cli.main(args=arguments, prog_name="htvm", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail(HtvmError("interrupted", code="E002"), as_json, _INTERRUPTED)
    except click.ClickException as problem:
        wrong = UsageError(problem.format_message(), hint=_help_hint(problem))
        return _fail(wrong, as_json, wrong.exit_code)
    except HtvmError as error:
        return _fail(error, as_json, error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("HTVM_DEBUG"):
            raise
        bug = InternalError(
            f"a bug in htvm: {type(error).__name__}: {error}",
            hint="run again with HTVM_DEBUG=1 for the traceback, and please report it",
        )
        return _fail(bug, as_json, bug.exit_code)
    return 0


def _help_hint(problem: click.ClickException) -> str:
    context = getattr(problem, "ctx", None)
    return f"{context.command_path if context else 'htvm'} --help"


def _fail(error: HtvmError, as_json: bool, exit_code: int) -> int:
    if as_json:
        console.print_json({"error": error.to_json()})
    console.print_error(error)
    return exit_code


def main() -> None:
    """Console script."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
