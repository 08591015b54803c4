"""``htvm quantize``: from a network of real numbers to an integer ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from htvm.cli import console, options
from htvm.cli.status import StatusLine

if TYPE_CHECKING:
    from htvm.quantization.api import Outcome


@click.command("quantize")
@options.network
@click.option("-t", "--target", help="Target whose arithmetic to quantise to; any CPU if left out.")
@options.calibration
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="ONNX file to write."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["integer", "qdq"]),
    help="integer for engines that shift and floor; qdq for QuantizeLinear and DequantizeLinear. "
    "Default: what the target needs.",
)
@options.as_json
def command(as_json: bool, output: Path, **values: Any) -> None:
    """Quantise the network in MODEL, looking at calibration data, and write it as ONNX."""
    from htvm.quantization.progress import Listener
    from htvm.quantizing import quantize

    with StatusLine() as status:
        outcome = quantize(
            values["model"],
            calibration=options.calibration_options(values),
            target=values["target"],
            output=output,
            form=values["form"],
            shapes=options.parse_shapes(values["shapes"]),
            listener=Listener(line=status.before(console.print_line), status=status.show),
        )
    if as_json:
        console.print_json(_document(outcome, output))
    _show(outcome, output)


def _document(outcome: Outcome, output: Path) -> dict[str, object]:
    return {
        "output": str(output),
        "format": outcome.format,
        "input_scale": dict(outcome.input_scale),
        "input_zero_point": dict(outcome.input_zero_point),
        "output_scale": outcome.output_scale,
        "calibration_samples": outcome.samples,
        "sqnr_db": outcome.sqnr_db,
        "method": outcome.way,
        "accuracy_budget": outcome.spending.document() if outcome.spending else None,
        "notes": list(outcome.notes),
    }


def _show(outcome: Outcome, output: Path) -> None:
    console.print_stage("quantize", f"{outcome.way}: {outcome.sqnr_db:.1f} dB at the output")
    for name, scale in outcome.input_scale.items():
        meaning = console.affine(scale, outcome.input_zero_point[name])
        console.print_line(f"input {name}: real = {meaning}")
    unit = outcome.output_scale
    meaning = "real numbers" if unit is None else f"scale {unit:.9g}"
    console.print_line(f"output: {meaning}    {output}")
    for note in outcome.notes:
        console.print_note(note)
