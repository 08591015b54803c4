"""The tilings of a layer: its realisations, each with the schedule the tiler found for it."""

from __future__ import annotations

from dataclasses import dataclass

from htvm.api import DoesNotFitError, Hardware, InternalError, Layer, Layout, Offers, Tiling
from htvm_diana import packing
from htvm_diana.cycles import core_of
from htvm_diana.problem import Choice, NoFit
from htvm_diana.rewrites import Realisation, realisations
from htvm_diana.tiling import choose


@dataclass(frozen=True, kw_only=True, eq=False)
class DianaTiling(Tiling):
    """A tiling of the digital core.

    Attributes:
        realisation: The layer as it was rewritten.
        choice: The schedule.
    """

    realisation: Realisation
    choice: Choice


def tilings(layer: Layer, offers: Offers, hardware: Hardware) -> tuple[DianaTiling, ...]:
    """For each choice of layouts, the cheapest way to run the layer, and smaller ones if slower.

    Raises:
        DoesNotFitError: No way fits L1 and the weight memory.
    """
    core = core_of(hardware)
    found: list[DianaTiling] = []
    misfits: list[NoFit] = []
    for one in realisations(layer, offers, hardware):
        choice = choose(one.problem, core)
        if isinstance(choice, NoFit):
            misfits.append(choice)
            continue
        found.append(_tiling(one, choice))
    if not found:
        seen = misfits[0].reason if misfits else "no form of the layer suits the digital core"
        raise DoesNotFitError(f"{layer.name} does not fit the digital core", code="E303", seen=seen)
    return _worthwhile(found)


def _worthwhile(found: list[DianaTiling]) -> tuple[DianaTiling, ...]:
    """Those that none of the same layouts beats in cycles without needing more memory."""
    best: dict[tuple[tuple[Layout, ...], Layout], list[DianaTiling]] = {}
    for tiling in sorted(found, key=lambda item: (item.cost.total, item.constant_bytes)):
        rivals = best.setdefault((tiling.inputs, tiling.output), [])
        if not rivals or tiling.constant_bytes < rivals[-1].constant_bytes:
            rivals.append(tiling)
    return tuple(tiling for rivals in best.values() for tiling in rivals)


def own(tiling: Tiling) -> DianaTiling:
    """The tiling as this plug-in made it.

    Raises:
        InternalError: Another plug-in made it.
    """
    if not isinstance(tiling, DianaTiling):
        raise InternalError("a tiling of another target reached the digital core")
    return tiling


def describe(layer: Layer, tiling: DianaTiling) -> str:
    """What the layer's function does, line by line, for its head."""
    lines = (f"{layer.pattern}: {tiling.summary}", *tiling.rewrites)
    return "\n".join(lines)


def _tiling(one: Realisation, choice: Choice) -> DianaTiling:
    return DianaTiling(
        inputs=one.inputs,
        output=one.output,
        cost=choice.cost,
        tiles=len(choice.tiles),
        summary=choice.summary,
        rewrites=one.rewrites,
        constant_bytes=packing.size_bytes(one),
        in_place=_in_place(one, choice),
        runner_up=choice.runner_up,
        realisation=one,
        choice=choice,
    )


def _in_place(one: Realisation, choice: Choice) -> int | None:
    """The input whose buffer the output may take over: one that is read before anything is written.

    A sum reads every byte just before it writes the same one.
    """
    later = (move for tile in choice.tiles[1:] for move in tile.loads)
    if one.elementwise or not any(move.kind == "load" for move in later):
        return 0
    return None
