"""Tries every way to cut a layer's loops into tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

Ranges = Mapping[str, range]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """One way to cut loops: a tile size for each, the last tile of a loop being what is left.

    Attributes:
        extents: Loop name -> its extent.
        sizes: Loop name -> iterations of one tile.
        order: Loop names, outermost first.
    """

    extents: Mapping[str, int]
    sizes: Mapping[str, int]
    order: tuple[str, ...]

    def count(self, *names: str) -> int:
        """Tiles along some loops, or along all if none is named."""
        chosen = names or self.order
        return prod(-(-self.extents[name] // self.sizes[name]) for name in chosen)

    def tiles(self) -> Iterator[Ranges]:
        """The iterations of every tile, by loop, in the order the tiles run."""
        cuts = [list(self._cut(name)) for name in self.order]
        for ranges in product(*cuts):
            yield dict(zip(self.order, ranges, strict=True))

    def loads(self, *names: str) -> int:
        """How often a tile of an operand that these loops index has to be loaded.

        It stays while only loops inside the innermost of them run on.
        """
        cut = [at for at, name in enumerate(self.order) if name in names and self.count(name) > 1]
        return self.count(*self.order[: max(cut) + 1]) if cut else 1

    def _cut(self, name: str) -> Iterator[range]:
        extent, size = self.extents[name], self.sizes[name]
        for start in range(0, extent, size):
            yield range(start, min(start + size, extent))

    @property
    def summary(self) -> str:
        """The tile, for people: ``"outputs 16 of 64, rows 8 of 32"``."""
        cut = [
            f"{name} {size} of {self.extents[name]}"
            for name in self.order
            if (size := self.sizes[name]) < self.extents[name]
        ]
        return ", ".join(cut) or "whole layer"


def tile_label(tile: Ranges) -> str:
    """A tile for people: ``"outputs 0..15, rows 8..15"``."""
    return ", ".join(f"{name} {part.start}..{part.stop - 1}" for name, part in tile.items())


def grids(
    extents: Mapping[str, int],
    *,
    steps: Mapping[str, int] | None = None,
    orders: Sequence[tuple[str, ...]] = (),
) -> Iterator[Grid]:
    """Every tile size worth trying in every order: the smallest that gives each number of tiles.

    Args:
        extents: Loop name -> its extent.
        steps: Loop name -> what its tile size has to be a multiple of, unless it is all of it.
        orders: Orders of the loops, outermost first; that of ``extents`` if there are none.
    """
    names = tuple(extents)
    choices = [_sizes(extents[name], (steps or {}).get(name, 1)) for name in names]
    for sizes in product(*choices):
        tile = dict(zip(names, sizes, strict=True))
        seen = set()
        for order in orders or (names,):
            grid = Grid(extents=extents, sizes=tile, order=order)
            cut = tuple(name for name in order if grid.count(name) > 1)
            if cut not in seen:
                seen.add(cut)
                yield grid


def cheapest(
    candidates: Iterator[Grid],
    *,
    fits: Callable[[Grid], bool],
    cost: Callable[[Grid], int],
    keep: int = 4,
) -> tuple[Grid, ...]:
    """The grids of least cost among those that fit, best first; none if none fits.

    Deterministic: of equal costs the grid of fewer tiles goes first, then the one tried first.

    Args:
        candidates: The grids to try; see :func:`grids`.
        fits: Whether the chip's memories hold a grid's tiles.
        cost: Cycles; an estimate will do when the few best are then priced exactly.
        keep: How many to give.
    """
    found = [grid for grid in candidates if fits(grid)]
    return tuple(sorted(found, key=lambda grid: (cost(grid), grid.count()))[:keep])


def _sizes(extent: int, step: int) -> tuple[int, ...]:
    """The smallest multiple of ``step`` that gives each number of tiles, largest first."""
    sizes = {-(-extent // (count * step)) * step for count in range(1, extent // step + 2)}
    return tuple(sorted({min(size, extent) for size in sizes}, reverse=True))
