"""``report.html``: one self-contained page, figures as inline SVG."""

from __future__ import annotations

from dataclasses import dataclass

from jinja2 import Environment, PackageLoader

from htvm.report.model import Buffer, Layer, Report

_WIDTH = 1000.0
_PALETTE = ("#3567b0", "#b4632a", "#5b8c3e", "#7d5ba6", "#b03a5b", "#2f8f8f")
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
                label=layer.name if width > 7 * len(layer.name) + 10 else "",
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
    """The buffer's name if there is room for it in its rectangle."""
    width = (buffer.last_step - buffer.first_step + 1) * step_width
    roomy = width > 7 * len(buffer.name) + 10 and buffer.size_bytes * byte_height > 20
    return buffer.name if roomy else ""


def numerics_text(report: Report) -> str:
    """Whether the network's numbers were changed, in one sentence."""
    if report.numerics == "calibrated":
        return "some were chosen anew by calibration; each layer says which"
    return "exact: no number of the network was changed"


def verdict_text(report: Report) -> str:
    """The verdict in one sentence."""
    check = report.verification
    if check.verdict == "exact":
        return f"bit-exact: all {check.layers} layers equal the integer reference on this machine"
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
    if report.verification.accuracy:
        accuracy = report.verification.accuracy
        figures.append((f"{100 * accuracy.top1:.2f} %", f"top-1 on {accuracy.labels:,} samples"))
    return figures


def render_html(report: Report) -> str:
    """The page of a report; everything from the network is escaped."""
    environment = Environment(
        loader=PackageLoader("htvm.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(thousands=thousands, kib=kib)
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
        verdict_text=verdict_text(report),
        numerics_text=numerics_text(report),
        verdict_class=report.verification.verdict.replace(" ", "-"),
    )
