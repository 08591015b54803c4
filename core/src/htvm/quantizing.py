"""Quantising a network: a file and calibration data in, an ONNX file out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from htvm.deployment import CalibrationOptions
from htvm.files import check_file_writable, write_file
from htvm.frontend import read
from htvm.host.inputs import parse_spec
from htvm.plugins.session import open_session
from htvm.quantization.api import Format, Options, Outcome, quantize_source
from htvm.quantization.progress import SILENT, Listener
from htvm.quantization.scheme import scheme_for


def quantize(
    path: str | Path,
    *,
    calibration: CalibrationOptions | str | Path,
    target: str | None = None,
    output: str | Path | None = None,
    form: Format | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    listener: Listener = SILENT,
) -> Outcome:
    """Quantise a network of real numbers, looking at samples of what it will see.

    Args:
        path: The network, ONNX or TFLite; float, or quantised for another runtime.
        calibration: ``FILE[:key]`` or a folder of images, or all that can be chosen.
        target: Target whose arithmetic to quantise to; None for plain int8 as any processor does.
        output: ONNX file to write; None writes nothing.
        form: ``"integer"`` for engines that shift and floor, ``"qdq"``; None for what the target
            needs.
        shapes: Input shapes in place of the file's, by name.
        listener: Told as the work goes on.

    Returns:
        The model, what its integers stand for, and how well it does on the calibration data.

    Raises:
        HtvmError: Something cannot be done; nothing was written.
    """
    if output is not None:
        check_file_writable(Path(output))
    if isinstance(calibration, str | Path):
        calibration = CalibrationOptions(data=parse_spec(str(calibration)))
    source = read(Path(path), shapes=shapes or {})
    scheme = scheme_for(open_session(target, settings={}).hardware) if target else None
    options = Options(
        calibration=calibration.data,
        scheme=scheme,
        format=form or ("qdq" if scheme is None else "integer"),
        samples=calibration.samples,
        seed=calibration.seed,
        budget=calibration.budget,
    )
    outcome = quantize_source(source, options, listener)
    if output is not None:
        write_file(Path(output), outcome.data)
    return outcome
