"""Entry point: finds the command, and turns every error into one message and an exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path

import click

from htvm.cli import console
from htvm.cli.lazy import LazyGroup
from htvm.errors import HtvmError, InternalError, UsageError
from htvm.suggest import did_you_mean

_COMMANDS = {
    "deploy": "Turn a network into a C project for a target, verified.",
    "doctor": "Look whether everything htvm needs is here and works.",
    "explain": "Tell why each layer runs where it does, or what an error means.",
    "inspect": "Show the integer network a file holds.",
    "new-target": "Make a small working package for a target of your own.",
    "quantize": "Bring a float network to integers, looking at samples.",
    "target": "Check, test and document a target.",
    "targets": "List the installed targets.",
    "verify": "Prove the C for a network on this machine, writing nothing.",
}
_PIPE_CLOSED = 128 + 13


@click.group(
    cls=LazyGroup,
    modules="htvm.cli.commands.",
    lines=_COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(version("htvm-core"), prog_name="htvm")
@click.pass_context
def cli(context: click.Context) -> None:
    """Deploy trained networks to heterogeneous tinyML chips, verified on this machine."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code.

    Errors go to stderr for people; with ``--json`` stdout gets one document that holds the error.
    """
    as_json = "--json" in arguments
    try:
        code = _answer(arguments, as_json)
        sys.stdout.flush()
    except (console.OutputClosed, BrokenPipeError):
        _discard_output()
        return _PIPE_CLOSED
    except OSError:  # the output itself cannot be written, so there is nowhere to tell
        _discard_output()
        return HtvmError.exit_code
    return code


def _answer(arguments: list[str], as_json: bool) -> int:
    try:
        with console.warnings_as_notes():
            code = cli.main(args=arguments, prog_name="htvm", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt) as stop:
        number = _signal_behind(stop)
        return _fail(HtvmError("interrupted", code="E002"), as_json, 128 + number)
    except click.ClickException as problem:
        wrong = UsageError(_message(problem), hint=_help_hint(problem))
        return _fail(wrong, as_json, wrong.exit_code)
    except HtvmError as error:
        return _fail(error, as_json, error.exit_code)
    except console.OutputClosed:
        raise
    except OSError as error:
        refused = HtvmError(f"the operating system refused: {error}", code="E003")
        return _fail(refused, as_json, refused.exit_code)
    except Exception as error:
        if os.environ.get("HTVM_DEBUG"):
            raise
        bug = InternalError(
            f"a bug in htvm: {type(error).__name__}: {error}",
            hint="run again with HTVM_DEBUG=1 for the traceback, and please report it",
        )
        return _fail(bug, as_json, bug.exit_code)
    return code if isinstance(code, int) else 0


def _discard_output() -> None:
    """Let what is still buffered go nowhere, since nobody reads it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _message(problem: click.ClickException) -> str:
    """What is wrong; the hint says what may have been meant."""
    return problem.message if isinstance(problem, click.NoSuchOption) else problem.format_message()


def _help_hint(problem: click.ClickException) -> str:
    context = getattr(problem, "ctx", None)
    page = f"{context.command_path if context else 'htvm'} --help"
    if context is None or not isinstance(problem, click.NoSuchOption):
        return page
    options = (name for option in context.command.params for name in option.opts)
    meant = did_you_mean(problem.option_name, (name for name in options if name[0] == "-"))
    return f"{meant} {page}".strip()


def _fail(error: HtvmError, as_json: bool, exit_code: int) -> int:
    if as_json:
        console.print_json({"error": error.to_json()})
    console.print_error(error)
    return exit_code


class Stopped(KeyboardInterrupt):
    """The process was asked to end by a signal other than Ctrl-C's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _signal_behind(stop: BaseException) -> int:
    """The signal that stopped the run; click puts an exception of its own before ours."""
    cause = stop.__cause__ if isinstance(stop, click.Abort) else stop
    return cause.number if isinstance(cause, Stopped) else signal.SIGINT


def _stop(number: int, _: object) -> None:
    raise Stopped(number)


def _keep_stdout_apart() -> None:
    """Leave descriptor 1 to what plug-ins and their tools print; it goes where stderr goes."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stderr is not None:
        sys.stdout.flush()
        own = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = os.fdopen(own, "w", encoding=sys.stdout.encoding)


def _prepare_output() -> None:
    """Make sure that both streams are there and take every character."""
    _keep_stdout_apart()
    nowhere = Path(os.devnull)
    sys.stdout = sys.stdout or nowhere.open("w", encoding="utf-8")
    sys.stderr = sys.stderr or nowhere.open("w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Console script."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would read every package's
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    _prepare_output()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
