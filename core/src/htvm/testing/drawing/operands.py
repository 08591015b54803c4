"""The inputs of a node being drawn, as its template asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy.typing as npt

from htvm.target.pattern import ANY, COMPUTED, Template
from htvm.testing.drawing.sketch import Sketch, Unsuited, Want

Value = Callable[[], npt.ArrayLike]
Draw = Callable[[Sketch, Template, Want], str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Operands:
    """The entries of a template's inputs.

    Attributes:
        sketch: What is being drawn.
        entries: In the op's order.
        draw: Draws a template's node.
    """

    sketch: Sketch
    entries: Sequence[Template | str]
    draw: Draw

    def take(self, index: int, want: Want, value: Value) -> str:
        """An input the op must have.

        Args:
            index: Its place.
            want: What it has to be.
            value: Gives its elements where it is constant.
        """
        entry = self.entries[index] if index < len(self.entries) else "constant"
        if isinstance(entry, Template):
            return self.draw(self.sketch, entry, want)
        if entry == ANY:
            entry = self.sketch.deck.pick("any", (COMPUTED, "constant")) if index else COMPUTED
        if entry == COMPUTED:
            return self.sketch.leaf(want)
        return self.sketch.constant(value(), want.dtype)

    def perhaps(self, index: int, want: Want, value: Value) -> tuple[str, ...]:
        """An input the op may have, or nothing."""
        if index < len(self.entries):
            asked = self.entries[index] != ANY or self.sketch.deck.pick("absent", (False, True))
            return (self.take(index, want, value),) if asked else ()
        return (self.take(index, want, value),) if self.sketch.deck.pick("bias", (0, 1)) else ()

    def is_constant(self, index: int) -> bool:
        """Whether an input can only be a constant."""
        return index >= len(self.entries) or self.entries[index] == "constant"

    def all_computed(self) -> int:
        """How many entries there are, which must all be computed tensors.

        Raises:
            Unsuited: There are none.
        """
        if not self.entries:
            raise Unsuited
        return len(self.entries)
