"""The tilings of a layer: its realisations, each with the schedule the tiler found for it."""

from __future__ import annotations

from dataclasses import dataclass

from htvm.api import DoesNotFitError, Hardware, InternalError, Layer, Layout, Offers, Tiling
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
    """For each choice of layouts, the cheapest way to run the layer.

    Raises:
        DoesNotFitError: No way fits L1 and the weight memory.
    """
    core = core_of(hardware)
    best: dict[tuple[tuple[Layout, ...], Layout], DianaTiling] = {}
    misfits: list[NoFit] = []
    for one in realisations(layer, offers, hardware):
        choice = choose(one.problem, core)
        if isinstance(choice, NoFit):
            misfits.append(choice)
            continue
        tiling = _tiling(one, choice)
        key = (tiling.inputs, tiling.output)
        if key not in best or tiling.cost.total < best[key].cost.total:
            best[key] = tiling
    if not best:
        seen = misfits[0].reason if misfits else "no form of the layer suits the digital core"
        raise DoesNotFitError(f"{layer.name} does not fit the digital core", code="E303", seen=seen)
    return tuple(best.values())


def own(tiling: Tiling) -> DianaTiling:
    """The tiling as this plug-in made it.

    Raises:
        InternalError: Another plug-in made it.
    """
    if not isinstance(tiling, DianaTiling):
        raise InternalError("a tiling of another target reached the digital core", code="E002")
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
        in_place=one.in_place,
        runner_up=choice.runner_up,
        realisation=one,
        choice=choice,
    )
