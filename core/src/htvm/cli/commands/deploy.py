"""``htvm deploy``: from a network file to a verified C project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from htvm.cli import console, options
from htvm.cli.fidelity import accuracy_lines
from htvm.cli.status import StatusLine

if TYPE_CHECKING:
    from htvm.deploying import Result


@click.command("deploy")
@options.build
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the project; default: build/NETWORK-TARGET.",
)
@click.option("--verify/--no-verify", default=True, help="Prove the C on this machine.")
@options.inputs
@options.numerics
@options.calibration
@options.as_json
def command(as_json: bool, verify: bool, output: Path | None, **values: Any) -> None:
    """Turn the network in MODEL into a C project for a target, verified on this machine."""
    from htvm.deploying import deploy_request
    from htvm.plugins.files import target_id

    if output is None:
        output = Path("build") / f"{values['model'].stem}-{target_id(values['target'])}"
    if not verify:
        options.refuse_samples(values)
    wanted = options.verify_options(values, required=False) if verify else None
    request = options.request(values, verify=wanted, output=output)
    with StatusLine() as status:
        result = deploy_request(request, progress=status.before(show_stage), status=status.show)
    if as_json:
        console.print_json(result.report.model_dump())
    show_summary(result)


def show_stage(stage: Any) -> None:
    """A line for a stage that has ended."""
    console.print_stage(stage.name, stage.summary)


def show_summary(result: Result) -> None:
    """The figures a person wants first, and where to read on."""
    from htvm.report.budget import budget_lines

    report = result.report
    clock = f"{report.target.clock_hz / 1e6:.0f} MHz"
    where = f"    {result.output / 'report.html'}" if result.output else ""
    console.print_line(f"estimated {report.totals.latency_ms:.2f} ms @ {clock}{where}")
    for line in accuracy_lines(report):
        console.print_line(line)
    for line in budget_lines(report.budget) if report.budget else ():
        console.print_line(line)
    for note in [*result.run.notes, *host_notes(result)]:
        console.print_note(note)


def host_notes(result: Result) -> list[str]:
    """The layer that costs the host most, when the chip has an accelerator that could have it.

    Then what would bring layers to the accelerator.
    """
    from htvm.cli.advice import rounding_advice

    report = result.report
    if len(result.run.hardware.engines) == 1:
        return []
    on_host = [layer for layer in report.layers if layer.engine == "cpu" and layer.kind == "layer"]
    if not on_host:
        return []
    slowest = max(on_host, key=lambda layer: layer.cycles.total)
    share = slowest.cycles.total / max(1, report.totals.latency_cycles)
    first, more, _ = slowest.reason.partition("; ")
    why = f"{first}; htvm explain tells more" if more else first
    note = f"{slowest.name} runs on cpu ({share:.0%} of the time): {why}"
    return [note, *rounding_advice(result.run, report.layers)]
