"""What is being done just now, in one line that is rewritten in place."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from htvm.cli import console

Told = TypeVar("Told")
_FIRST_COLUMN = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


class StatusLine:
    """The last line of a terminal while a command works; nothing where there is no terminal."""

    def __init__(self) -> None:
        self._console = console.people()
        self._live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._shown = False

    def __enter__(self) -> StatusLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Put a text in the place of the one before."""
        if not self._live:
            return
        line = Text(f"   {console.printable(text)}", style="dim")
        line.truncate(self._console.width - 1, overflow="ellipsis")
        self._console.control(_FIRST_COLUMN)
        self._console.print(line, end="")
        self._shown = True

    def clear(self) -> None:
        """Leave the line empty."""
        if self._shown:
            self._console.control(_FIRST_COLUMN)
            self._shown = False

    def before(self, show: Callable[[Told], None]) -> Callable[[Told], None]:
        """As ``show``, on an empty line."""

        def cleared(told: Told) -> None:
            self.clear()
            show(told)

        return cleared
