"""Deploying a network: the pipeline, its report, and the folder that holds both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from htvm.codegen.write import check_writable, write_project
from htvm.deployment import (
    CalibrationOptions,
    Deployment,
    Progress,
    Request,
    Status,
    VerifyOptions,
)
from htvm.errors import MismatchError
from htvm.host.inputs import ImageOrder, parse_spec
from htvm.ir.tensor import Array
from htvm.pipeline import run
from htvm.plugins.blame import blame
from htvm.plugins.listing import TargetInfo
from htvm.report.build import build_report
from htvm.report.model import Report
from htvm.report.page import render_html


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """A deployed network.

    Attributes:
        report: What ``report.json`` says.
        run: Every stage's value.
        output: The folder written; None if nothing was.
    """

    report: Report
    run: Deployment
    output: Path | None

    @property
    def outputs(self) -> Mapping[str, Array]:
        """What the generated C returned for the given inputs, by output name, samples first."""
        return self.run.verification.outputs if self.run.verification else {}

    def __repr__(self) -> str:
        """What one wants to see of it in a shell."""
        report, check = self.report, self.report.verification
        parts = [
            f"{report.model.name} on {report.target.name}",
            f"{report.totals.latency_ms:.3f} ms",
            "bit-exact" if check.verdict == "exact" else check.verdict,
            f"{report.numerics} numbers",
        ]
        if check.accuracy is not None:
            parts.append(f"accuracy {check.accuracy.top1:.2%}")
        if self.output is not None:
            parts.append(str(self.output))
        return f"<Result: {', '.join(parts)}>"


def deploy(
    path: str | Path,
    *,
    target: str,
    output: str | Path | None = None,
    inputs: str | Path | None = None,
    input_layout: ImageOrder | None = None,
    input_scale: float = 1.0,
    input_offset: float = 0.0,
    source: str | Path | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    settings: Mapping[str, str] | None = None,
    pins: Mapping[str, str] | None = None,
    strict: bool = False,
    verify: bool = True,
    random: int = 4,
    sanitize: bool = False,
    seed: int = 0,
    timeout_s: float | None = None,
    calibration: CalibrationOptions | str | Path | None = None,
    progress: Progress | None = None,
    status: Status | None = None,
) -> Result:
    """Turn a network into C for a target and prove it on this machine.

    An integer network keeps every number it has, unless ``calibration`` is given. Then the network,
    in float or in integers, is quantised to the arithmetic of the target's engines first, and the
    proof is about the quantised network; ``result.report.numerics`` tells which it was.

    Args:
        path: The network, ONNX or TFLite.
        target: Id of an installed target, or the path of a file or folder that holds one.
        output: Folder to write; None writes nothing.
        inputs: ``FILE[:key]`` with samples to verify with and to compare with the network's own
            runtime; an array ``labels`` gives accuracy. An array of the input's own integer type
            is taken as it is; others hold real values where the input's scale is known.
        input_layout: Axis order of the samples when it is not the network's.
        input_scale: Factor that brings the samples to the network's own numbers.
        input_offset: Added then.
        source: The network this one was quantised from, to compare the samples' results with
            instead of with the network itself.
        shapes: Input shapes in place of the file's, by name.
        settings: Hardware numbers and options to change, as ``--set`` takes them.
        pins: Layer name -> engine that must run it.
        strict: Refuse to run layers on the host.
        verify: Whether to verify.
        random: Random samples to verify with.
        sanitize: Build with AddressSanitizer and UndefinedBehaviorSanitizer to verify.
        seed: Of the random samples.
        timeout_s: Seconds one layer may take while verifying; None for a limit that grows with
            the layer's work.
        calibration: ``FILE[:key]`` or a folder of images to quantise the network with, or all
            options of that; None never changes a number of the network.
        progress: Called with every stage that ends.
        status: Called with what a long stage is doing; every text replaces the one before.

    Returns:
        The report, every stage's value, and for the given samples what the generated C returned.

    Raises:
        HtvmError: Something cannot be done, or the generated C and the reference differ (E401);
            nothing was written.
    """
    if isinstance(calibration, str | Path):
        calibration = CalibrationOptions(data=parse_spec(str(calibration)))
    options = VerifyOptions(random=random, sanitize=sanitize, seed=seed, timeout_s=timeout_s)
    if inputs is not None:
        spec = parse_spec(str(inputs), layout=input_layout, scale=input_scale, offset=input_offset)
        options = replace(options, given=(spec,), source=None if source is None else Path(source))
    request = Request(
        path=Path(path),
        target=target,
        output=None if output is None else Path(output),
        shapes=shapes or {},
        settings=settings or {},
        pins=pins or {},
        strict=strict,
        verify=options if verify else None,
        calibration=calibration,
    )
    return deploy_request(request, progress=progress, status=status)


def deploy_request(
    request: Request, *, progress: Progress | None = None, status: Status | None = None
) -> Result:
    """As :func:`deploy`, from a request.

    Raises:
        HtvmError: Something cannot be done, or the generated C and the reference differ (E401);
            nothing was written.
    """
    if request.output is not None:
        check_writable(request.output)
    done = run(request, progress, status)
    report = build_report(done)
    _refuse_mismatch(report, done.target)
    if request.output is not None and done.project is not None:
        pages = {
            "report.json": report.model_dump_json(indent=2) + "\n",
            "report.html": render_html(report),
        }
        write_project({**done.project.files, **pages}, request.output)
    return Result(report=report, run=done, output=request.output)


def _refuse_mismatch(report: Report, target: TargetInfo) -> None:
    check = report.verification
    first = check.first_divergence
    if check.verdict != "mismatch" or first is None:
        return
    index = ", ".join(str(number) for number in first.index)
    error = MismatchError(
        f"the generated C differs from the reference, first in layer {first.layer}",
        code="E401",
        seen=f"{first.seen:g} at [{index}] with input {first.input}; "
        f"{check.mismatches:,} of {check.elements:,} elements differ",
        accepted=f"{first.expected:g}, as the integer reference computes",
        hint="a fault of htvm or of the target's plug-in: please report it with the network",
    )
    raise blame(error, target)
