"""Numbers the layouts of each tensor and remembers what converting between them costs."""

from __future__ import annotations

from dataclasses import dataclass, field

from htvm.ir.layout import Layout, row_major
from htvm.ir.tensor import Tensor
from htvm.plugins.session import ConvertArgs, Session
from htvm.target.layer import Cost

Key = tuple[bytes, int, int | None]


@dataclass(kw_only=True, eq=False)
class Layouts:
    """The layouts of one tensor. Number 0 is row-major; layouts that place alike share a number.

    Sets of layouts are bit masks of their numbers.
    """

    tensor: Tensor
    session: Session
    layouts: list[Layout] = field(default_factory=list)
    _numbers: dict[Layout, int] = field(default_factory=dict)
    _keys: dict[Key, int] = field(default_factory=dict)
    _costs: dict[tuple[int, int], Cost] = field(default_factory=dict)
    _best: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.number(row_major(self.tensor.shape))

    def number(self, layout: Layout) -> int:
        """The number of a layout."""
        if layout not in self._numbers:
            places = layout.addresses(self.tensor.shape).tobytes()
            key = (places, layout.size, layout.fill)
            if key not in self._keys:
                self._keys[key] = len(self.layouts)
                self.layouts.append(layout)
            self._numbers[layout] = self._keys[key]
        return self._numbers[layout]

    def cost(self, source: int, target: int) -> Cost:
        """Cost of a copy."""
        if (source, target) not in self._costs:
            self._costs[source, target] = self.session.convert_cost(self.args(source, target))
        return self._costs[source, target]

    def args(self, source: int, target: int) -> ConvertArgs:
        """A copy as the conversion hooks take it."""
        layouts = self.layouts
        return self.tensor.shape, self.tensor.dtype, layouts[source], layouts[target]

    def obtain(self, held: int, wanted: int) -> tuple[int, int]:
        """The cheapest way to a layout from the set held.

        Returns:
            Cycles, 0 exactly when a layout held serves as it is, and the number of the layout to
            read.
        """
        if (held, wanted) not in self._best:
            self._best[held, wanted] = self._obtain(held, wanted)
        return self._best[held, wanted]

    def _obtain(self, held: int, wanted: int) -> tuple[int, int]:
        sources = [number for number in range(len(self.layouts)) if held >> number & 1]
        target = self.layouts[wanted]
        serving = [n for n in sources if n == wanted or self.layouts[n].serves(target)]
        if serving:
            return 0, wanted if wanted in serving else serving[0]
        return min((max(1, self.cost(source, wanted).total), source) for source in sources)

    def gap(self, held: int, wanted: int) -> int:
        """Cycles to have every layout of the set ``wanted`` from the set ``held``."""
        missing = wanted & ~held
        total = 0
        number = 0
        while missing:
            if missing & 1:
                total += self.obtain(held, number)[0]
            missing >>= 1
            number += 1
        return total
