"""What a person sees: stage lines, tables and errors go to stderr, documents to stdout."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from textwrap import fill
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from htvm.errors import HtvmError

_FILE_COLUMNS = 160
_READABLE_COLUMNS = 100
_LABEL = 10


class OutputClosed(Exception):
    """Nobody reads what is printed any more."""


class _Screen(Console):
    """A console that leaves it to the entry point what a closed pipe means."""

    def on_broken_pipe(self) -> None:
        raise OutputClosed


def people() -> Console:
    """The console for people: stderr, plain when it is not a terminal."""
    return _Screen(stderr=True, highlight=False, soft_wrap=True)


def output() -> Console:
    """The console for what a command was asked to show: stdout, wide where it goes to a file."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return _Screen(highlight=False, soft_wrap=True, width=None if known else _FILE_COLUMNS)


def print_json(document: Mapping[str, object]) -> None:
    """One JSON document on stdout."""
    try:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise OutputClosed from error


def print_error(error: HtvmError) -> None:
    """Code and message, then what was seen, what is accepted, and what to do."""
    lines = Text()
    lines.append(f"error[HTVM-{error.code}]", style="bold red")
    lines.append(f": {printable(error.message)}")
    for label, text in (("seen", error.seen), ("accepted", error.accepted), ("try", error.hint)):
        if text:
            lines.append(f"\n  {label}: ", style="dim")
            lines.append(printable(text))
    people().print(lines)


def print_fault(owner: str, error: HtvmError) -> None:
    """A broken target in a list: whose it is, cause and fix."""
    lines = [f"{owner} [HTVM-{error.code}]: {error.message}"]
    details = (("seen", error.seen), ("accepted", error.accepted), ("try", error.hint))
    lines += [f"     {label}: {text}" for label, text in details if text]
    people().print(f" [red]✗[/red] {escape(printable(chr(10).join(lines)))}")


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Show what plug-ins do that a coming version will not take, once each."""
    from htvm.plugins.deprecation import HtvmDeprecation

    with warnings.catch_warnings():
        warnings.simplefilter("once", HtvmDeprecation)
        ordinary = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, HtvmDeprecation):
                print_note(str(message))
            else:
                ordinary(message, category, *where, **more)

        warnings.showwarning = show
        yield


def print_stage(name: str, summary: str) -> None:
    """A stage that ended well."""
    people().print(f" [green]✓[/green] {name:<11} {escape(printable(summary))}")


def print_note(text: str) -> None:
    """Something worth knowing that is no error."""
    people().print(f"   [yellow]note[/yellow]: {escape(printable(text))}")


def print_line(text: str) -> None:
    """A line of the summary."""
    people().print(f"   {escape(printable(text))}")


def table(columns: Iterable[tuple[str, bool]], rows: Iterable[Iterable[str]]) -> Table:
    """A plain table; a column's flag aligns it right."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name, right in columns:
        made.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def wrapped(text: str, screen: Console, indent: str = "") -> str:
    """The text in lines that fit the screen, none longer than reads well."""
    width = min(screen.width, _READABLE_COLUMNS)
    return fill(
        printable(text),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def labelled(label: str, text: str, screen: Console) -> str:
    """A fact behind its label; on a terminal its lines stand below one another."""
    head = f"  {label:<{_LABEL}} "
    if not screen.is_terminal:
        return head + printable(text)
    return fill(
        printable(text),
        screen.width,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
    )


def printable(text: str) -> str:
    """The text with control characters spelled out, so that a name cannot move the cursor."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def affine(scale: float, zero_point: int) -> str:
    """What an integer stands for: ``"0.5 * (integer + 3)"``."""
    if not zero_point:
        return f"{scale:.9g} * integer"
    return f"{scale:.9g} * (integer {'-' if zero_point > 0 else '+'} {abs(zero_point)})"
