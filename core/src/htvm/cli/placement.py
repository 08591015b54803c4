"""The list ``htvm explain`` shows: what runs where, what it costs, and why not elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from rich.console import Console

from htvm.cli import console
from htvm.cli.advice import rounding_advice
from htvm.deployment import Deployment
from htvm.dispatch.stage import HOST
from htvm.partition.names import shortened
from htvm.report.model import Alternative, Layer

_COLUMNS = (
    ("layer", False),
    ("engine", False),
    ("cycles", True),
    ("next best", False),
    ("tile", False),
)
_NAME = 32
_NAMED = 6
"""Layers named under a reason before the rest is only counted."""


def show(run: Deployment, layers: list[Layer], more: str) -> None:
    """Print the table, its total, what keeps layers on the host, and what to do about it.

    Args:
        run: The deployment up to dispatch.
        layers: Its layers.
        more: The command that tells all about one layer.
    """
    screen = console.output()
    rows = [_row(item) for item in layers]
    cycles = sum(item.cycles.total for item in layers)
    screen.print(console.table(_COLUMNS, [*rows, ("total", "", f"{cycles:,}", "", "")]))
    speed = f"{1e3 * cycles / run.hardware.clock_hz:,.2f} ms @ {run.hardware.clock_hz / 1e6:g} MHz"
    screen.print(f"\n{_mix(layers)}: {speed} on {run.hardware.name}", markup=False)
    for reason, names in reasons(layers).items():
        _print_reason(screen, reason, names)
    for advice in rounding_advice(run, layers):
        screen.print(f"\n{console.wrapped(advice, screen)}", markup=False)
    screen.print(f"\nall about one layer: {more}", markup=False)


def _row(item: Layer) -> tuple[str, ...]:
    tile = "; ".join(part for part in (item.tile, *item.rewrites) if part)
    return shortened(item.name, _NAME), item.engine, f"{item.cycles.total:,}", _next(item), tile


def _next(item: Layer) -> str:
    """The next best engine and how many times as long it would take."""
    able = [(other.cycles, other.engine) for other in item.alternatives if other.cycles]
    if not able or not item.cycles.total:
        return ""
    cycles, engine = min(able)
    times = cycles / item.cycles.total
    return f"{engine} x{times:,.0f}" if times >= 10 else f"{engine} x{times:.1f}"


def _mix(layers: list[Layer]) -> str:
    engines = Counter(item.engine for item in layers if item.kind == "layer")
    parts = [f"{_many(count, 'layer')} on {engine}" for engine, count in engines.most_common()]
    conversions = sum(item.kind == "conversion" for item in layers)
    return ", ".join([*parts, *([_many(conversions, "conversion")] if conversions else [])])


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def reasons(layers: list[Layer]) -> Mapping[str, list[str]]:
    """What keeps layers on the host -> those layers, the most frequent reason first."""
    found: dict[str, list[str]] = {}
    if all(other.engine == item.engine for item in layers for other in item.alternatives):
        return found
    for item in layers:
        for reason in _reasons_of(item):
            found.setdefault(reason, []).append(shortened(item.name, _NAME))
    return dict(sorted(found.items(), key=lambda entry: -len(entry[1])))


def _reasons_of(item: Layer) -> Iterator[str]:
    """Why no other engine takes a layer of the host."""
    able = any(other.cycles for other in item.alternatives)
    if item.kind == "conversion" or item.engine != HOST or able:
        return
    others = [other for other in item.alternatives if other.engine != HOST]
    if not others:
        yield f"only {HOST} has a pattern for it"
    yield from dict.fromkeys(f"not on {other.engine}: {_rule(other)}" for other in others)


def _rule(other: Alternative) -> str:
    """The constraint, without what this layer has instead."""
    return (other.reason or "").split(": ", 1)[0]


def _print_reason(screen: Console, reason: str, names: list[str]) -> None:
    shown = ", ".join(names[:_NAMED])
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    screen.print(f"\n{console.wrapped(reason, screen)}", markup=False)
    screen.print(console.wrapped(f"{shown}{rest}", screen, indent="    "), markup=False)
