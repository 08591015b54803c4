"""``report.html``: one self-contained page, figures as inline SVG."""

from __future__ import annotations

from dataclasses import dataclass

from jinja2 import Environment, PackageLoader

from htvm.report.budget import limits
from htvm.report.model import Buffer, Layer, Report

_WIDTH = 1000.0
_PALETTE = ("#3567b0", "#b4632a", "#5b8c3e", "#7d5ba6", "#b03a5b", "#2f8f8f")
_LETTER_WIDTH = 6.8
_LEAST_LETTERS = 9
_CONVERSION_COLOUR = "#8a94a3"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A rectangle of a figure, in the units of its view box."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    title: str
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A label of an axis."""

    x: float
    y: float
    text: str
    anchor: str = "start"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Marks and ticks, and the height of the view box."""

    height: float
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]


def thousands(value: int) -> str:
    """``1234567`` as ``1,234,567``."""
    return f"{value:,}"


def kib(size_bytes: int) -> str:
    """A size for people."""
    return f"{size_bytes} B" if size_bytes < 1024 else f"{size_bytes / 1024:.1f} KiB"


def engine_colours(report: Report) -> dict[str, str]:
    """A colour for each engine, by order of first use."""
    engines = dict.fromkeys(layer.engine for layer in report.layers)
    return {name: _PALETTE[number % len(_PALETTE)] for number, name in enumerate(engines)}


def timeline(report: Report, colours: dict[str, str]) -> Figure:
    """One inference as a bar, each layer as wide as its cycles."""
    total = max(1, sum(layer.cycles.total for layer in report.layers))
    marks, at = [], 0.0
    for layer in report.layers:
        width = _WIDTH * layer.cycles.total / total
        conversion = layer.kind == "conversion"
        marks.append(
            Mark(
                x=round(at, 2),
                y=12,
                width=round(max(width - 0.6, 0.4), 2),
                height=46,
                colour=_CONVERSION_COLOUR if conversion else colours[layer.engine],
                title=f"{layer.name}: {layer.cycles.total:,} cycles on {layer.engine}",
                label=_elided(layer.name, width),
            )
        )
        at += width
    anchors = ("start", "middle", "middle", "middle", "end")
    ticks = tuple(
        Tick(x=250.0 * step, y=76, text=f"{total * step // 4:,}", anchor=anchors[step])
        for step in range(5)
    )
    return Figure(height=84, marks=tuple(marks), ticks=ticks)


def arena_figure(report: Report) -> Figure:
    """Every buffer of the arena as a rectangle: steps to the right, addresses upwards."""
    top = max((buffer.offset_bytes + buffer.size_bytes for buffer in report.arena), default=0)
    if top == 0:
        return Figure(height=0, marks=(), ticks=())
    steps = max(buffer.last_step for buffer in report.arena) + 1
    height = 220.0
    marks = tuple(
        Mark(
            x=round(_WIDTH * buffer.first_step / steps, 2),
            y=round(10 + height * (1 - (buffer.offset_bytes + buffer.size_bytes) / top), 2),
            width=round(_WIDTH * (buffer.last_step - buffer.first_step + 1) / steps, 2),
            height=round(height * buffer.size_bytes / top, 2),
            colour=_PALETTE[number % len(_PALETTE)],
            title=f"{buffer.name}: {buffer.tensor}, {kib(buffer.size_bytes)} at "
            f"{buffer.offset_bytes:,}, "
            f"steps {buffer.first_step} to {buffer.last_step}",
            label=_fitting(buffer, _WIDTH / steps, height / top),
        )
        for number, buffer in enumerate(report.arena)
    )
    ticks = (Tick(x=4, y=22, text=kib(top)), Tick(x=4, y=height + 6, text="0"))
    return Figure(height=height + 20, marks=marks, ticks=ticks)


def _fitting(buffer: Buffer, step_width: float, byte_height: float) -> str:
    """The buffer's name as far as there is room in its rectangle.

    In its last step a buffer may be hidden by the one that takes its place.
    """
    width = max(1, buffer.last_step - buffer.first_step) * step_width
    return _elided(buffer.name, width) if buffer.size_bytes * byte_height > 20 else ""


def _elided(name: str, width: float) -> str:
    """A name, without its middle where that does not fit; nothing where little would be left."""
    room = int((width - 10) / _LETTER_WIDTH)
    if len(name) <= room:
        return name
    if room < _LEAST_LETTERS:
        return ""
    tail = room // 2
    return f"{name[: room - tail - 1]}…{name[-tail:]}"


def numerics_text(report: Report) -> str:
    """Whether the network's numbers were changed, in one sentence."""
    told = report.calibration
    if told is not None:
        aim = f" for engine {told.engine}" if told.engine else ""
        return f"calibrated: chosen anew{aim} from {told.source}, with {told.data}, by {told.by}"
    if report.numerics == "calibrated":
        return "calibrated: numbers of the network were chosen anew"
    return "exact: no number of the network was changed"


def verdict_text(report: Report) -> str:
    """The verdict in one sentence."""
    check = report.verification
    if check.verdict == "exact":
        layers = "the one layer equals" if check.layers == 1 else f"all {check.layers} layers equal"
        return f"bit-exact: {layers} the integer reference on this machine"
    if check.verdict == "mismatch":
        return f"mismatch: {check.mismatches:,} of {check.elements:,} elements differ"
    return f"not verified: {check.reason}"


def _figures(report: Report) -> list[tuple[str, str]]:
    totals = report.totals
    figures = [
        (
            f"{totals.latency_ms:.3f} ms",
            f"estimated latency at {report.target.clock_hz / 1e6:.0f} MHz",
        ),
        (f"{totals.latency_cycles:,}", "cycles"),
        (f"{100 * totals.macs_offloaded_fraction:.1f} %", "of MACs on accelerators"),
        (f"{report.model.macs / 1e6:.2f} M", "multiply-accumulates"),
    ]
    for name, use in totals.memory.items():
        figures.append((kib(use.used_bytes), f"of {kib(use.capacity_bytes)} {name}"))
    accuracy, fidelity = report.verification.accuracy, report.verification.fidelity
    if accuracy is not None:
        label = f"top-1 on {accuracy.labels:,} samples"
        if fidelity is not None and fidelity.source_accuracy is not None:
            label += f"; the source {100 * fidelity.source_accuracy.top1:.2f} %"
        figures.append((f"{100 * accuracy.top1:.2f} %", label))
    if fidelity is not None and fidelity.same_class is not None:
        share = 100 * fidelity.same_class / fidelity.samples
        figures.append((f"{share:.2f} %", "of samples classed as by the source"))
    return figures


_WIDEST_DB = 60.0
"""Signal to error that fills its bar."""


def decibel_bar(ratio_db: float | None) -> str:
    """Width of the bar of a signal-to-error ratio, in percent."""
    shown = _WIDEST_DB if ratio_db is None else min(max(ratio_db, 0.0), _WIDEST_DB)
    return f"{100 * shown / _WIDEST_DB:.1f}"


def steps(number: float | None) -> str:
    """An error in steps for people."""
    if number is None:
        return ""
    return f"{number:,.0f}" if number == round(number) else f"{number:.3g}"


def part_colours(report: Report) -> dict[str, str]:
    """A colour for each part of a memory."""
    names = dict.fromkeys(name for use in report.totals.memory.values() for name in use.parts)
    return {name: _PALETTE[number % len(_PALETTE)] for number, name in enumerate(names)}


def _ratios(report: Report) -> dict[str, str]:
    """Signal to error by layer, that of the last tensor it computes; nothing if all are equal."""
    fidelity = report.verification.fidelity
    if fidelity is None or all(error.sqnr_db is None for error in fidelity.layers):
        return {}
    return {
        error.layer: "equal" if error.sqnr_db is None else f"{error.sqnr_db:.1f} dB"
        for error in fidelity.layers
    }


def _worst_loss(report: Report) -> float:
    fidelity = report.verification.fidelity
    return max((error.lost_db for error in fidelity.layers), default=0.0) if fidelity else 0.0


def render_html(report: Report) -> str:
    """The page of a report; everything from the network is escaped."""
    environment = Environment(
        loader=PackageLoader("htvm.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(thousands=thousands, kib=kib, steps=steps, decibel_bar=decibel_bar)
    colours = engine_colours(report)
    total = max(1, report.totals.latency_cycles)
    longest = max((layer.cycles.total for layer in report.layers), default=1) or 1
    shares = {
        engine: sum(layer.cycles.total for layer in report.layers if layer.engine == engine) / total
        for engine in colours
    }

    converting = sum(layer.cycles.total for layer in report.layers if layer.kind == "conversion")

    def share(layer: Layer) -> str:
        return f"{100 * layer.cycles.total / longest:.1f}"

    return environment.get_template("report.html.j2").render(
        report=report,
        colours=colours,
        conversion_colour=_CONVERSION_COLOUR,
        conversion_share=f"{100 * converting / total:.1f} %" if converting else "",
        engine_share={engine: f"{100 * part:.1f} % of the time" for engine, part in shares.items()},
        figures=_figures(report),
        timeline=timeline(report, colours),
        arena=arena_figure(report),
        share=share,
        part_colours=part_colours(report),
        ratios=_ratios(report),
        worst_loss=_worst_loss(report),
        budget=report.budget,
        budget_limits=limits(report.budget) if report.budget else "",
        verdict_text=verdict_text(report),
        numerics_text=numerics_text(report),
        verdict_class=report.verification.verdict.replace(" ", "-"),
    )
