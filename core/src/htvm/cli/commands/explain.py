"""``htvm explain``: why each layer runs where it runs, and what an error code means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from htvm.cli import console, options
from htvm.cli.status import StatusLine
from htvm.errors import UsageError

if TYPE_CHECKING:
    from htvm.deployment import Deployment
    from htvm.report.model import Layer

_CODE = re.compile(r"(?:HTVM-)?(E\d{3})", re.IGNORECASE)


@click.command("explain")
@click.argument("model")
@click.argument("layer", required=False)
@click.option("-t", "--target", help="Target id; needed to explain a network.")
@click.option("--shape", "shapes", multiple=True, metavar="INPUT=1x3x32x32", help="Input shape.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Hardware or option.")
@click.option("--pin", "pins", multiple=True, metavar="LAYER=ENGINE", help="Engine of a layer.")
@click.option("--strict", is_flag=True, help="Refuse to run any layer on the host.")
@options.numerics
@options.calibration
@options.as_json
def command(model: str, layer: str | None, as_json: bool, **values: Any) -> None:
    """Tell engine, tile, cost and runner-up of every layer of MODEL, or of one LAYER.

    MODEL may be an error code instead, such as HTVM-E301.
    """
    code = _CODE.fullmatch(model)
    if code:
        _explain_code(code[1].upper(), as_json=as_json)
        return
    if values["target"] is None:
        raise UsageError(
            "explaining a network needs a target",
            code="E132",
            hint=f"htvm explain {model} --target cpu",
        )
    found = _run(model, values)
    layers = _layers(found)
    if as_json:
        chosen = _only(layers, layer, found) if layer else layers
        console.print_json({"layers": [item.model_dump() for item in chosen]})
    elif layer:
        _show_details(_only(layers, layer, found))
    else:
        from htvm.cli.placement import show

        show(found, layers, f"htvm explain {quote(model)} LAYER -t {quote(values['target'])}")


def _run(model: str, values: dict[str, Any]) -> Deployment:
    from pathlib import Path

    from htvm.pipeline import run

    request = options.request({"model": Path(model), **values}, verify=None, upto="dispatch")
    with StatusLine() as status:
        return run(request, status=status.show)


def _layers(found: Deployment) -> list[Layer]:
    from htvm.report.layers import layers

    return layers(found)


def _only(layers: list[Layer], name: str, run: Deployment) -> list[Layer]:
    found = [item for item in layers if name == item.name or name in item.source_nodes]
    if not found:
        from htvm.suggest import choices, did_you_mean

        known = [item.name for item in layers]
        nodes = (node for item in layers for node in item.source_nodes)
        raise UsageError(
            f"{run.graph.name} has no layer {name!r}",
            code="E133",
            seen=name,
            accepted=choices(name, known),
            hint=did_you_mean(name, [*known, *nodes]) or "leave the name out to list the layers",
        )
    return found


def _show_details(layers: list[Layer]) -> None:
    screen = console.output()
    for item in layers:
        screen.print(f"{item.name} ({item.op}) on {item.engine}", markup=False)
        for label, text in _details(item):
            if text:
                screen.print(console.labelled(label, text, screen), markup=False)


def _details(item: Layer) -> Iterator[tuple[str, str]]:
    """What to tell about a layer, each with its label."""
    yield "why", item.reason
    yield "source", ", ".join(item.source_nodes)
    yield "tile", item.tile
    yield "tiles", str(item.tiles)
    yield "runner-up", item.runner_up
    parts = item.cycles
    yield (
        "cycles",
        f"{parts.total:,} = compute {parts.compute:,}, transfer {parts.transfer:,}, "
        f"overhead {parts.overhead:,}",
    )
    yield "reads", "; ".join(f"{end.name} as {end.layout}" for end in item.inputs)
    yield "writes", f"{item.output.name} as {item.output.layout}"
    for text in item.rewrites:
        yield "rewrite", text
    for other in item.alternatives:
        cost = "" if other.cycles is None else f"{other.cycles:,} cycles"
        yield "instead", f"{other.engine} ({other.pattern}): {other.reason or cost}"


def _explain_code(code: str, *, as_json: bool) -> None:
    from htvm.codes import CODES
    from htvm.remedies import REMEDIES
    from htvm.suggest import choices

    meaning = CODES.get(code)
    if meaning is None:
        raise UsageError(
            f"no such error code: HTVM-{code}",
            code="E134",
            seen=code,
            accepted=choices(code, CODES),
        )
    remedy = REMEDIES[code]
    if as_json:
        console.print_json({"code": f"HTVM-{code}", "meaning": meaning, "remedy": remedy})
        return
    screen = console.output()
    for text in (f"HTVM-{code}: {meaning}", f"What to do: {remedy}"):
        screen.print(console.wrapped(text, screen), markup=False)
