"""``htvm quantize`` as a function: a file and calibration data in, an ONNX model out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

from htvm.errors import UsageError
from htvm.frontend.source import Source
from htvm.host.inputs import InputSpec
from htvm.quantize.asymmetric import from_integers, quantise_qdq, sqnr_db
from htvm.quantize.calibration import Calibration, load_calibration
from htvm.quantize.integer import ties
from htvm.quantize.network import FloatNetwork, Hint
from htvm.quantize.progress import SILENT, Listener
from htvm.quantize.quantise import quantise
from htvm.quantize.scheme import Scheme
from htvm.quantize.source.read import float_network

if TYPE_CHECKING:
    from onnx import ModelProto

Format = Literal["integer", "qdq"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to quantise.

    Attributes:
        calibration: Where the calibration data is.
        scheme: The arithmetic to quantise to; None for the common int8 one.
        format: The form to write.
        samples: Calibration samples to use at most.
        seed: Of everything drawn.
    """

    calibration: InputSpec
    scheme: Scheme | None
    format: Format
    samples: int | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """A quantised model.

    Attributes:
        model: The ONNX model.
        format: Its form.
        input_scale: What 1 stands for at the input, by input.
        input_zero_point: The integer that stands for 0.0 at the input, by input.
        output_scale: What 1 stands for at the output.
        samples: Calibration samples used.
        sqnr_db: Signal to quantisation noise at the output, on calibration data.
        way: How it was made.
        notes: What the user should know.
        hints: What the source's own integers stand for at its inputs, where it was quantised.
    """

    model: ModelProto
    format: Format
    input_scale: Mapping[str, float]
    input_zero_point: Mapping[str, int]
    output_scale: float
    samples: int
    sqnr_db: float
    way: str
    notes: tuple[str, ...]
    hints: Mapping[str, Hint] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """The file's bytes, the same for the same request."""
        return bytes(self.model.SerializeToString(deterministic=True))


def quantize_source(source: Source, options: Options, listener: Listener = SILENT) -> Outcome:
    """Quantise a network that was read.

    Args:
        source: Float, or quantised in a form that can be dequantised.
        options: How.
        listener: Told as the work goes on.

    Raises:
        UsageError: The file or the calibration data cannot be used.
        UnsupportedModelError: The network cannot be taken, or not in this arithmetic.
    """
    network = float_network(source)
    data = load_calibration(
        options.calibration, network, samples=options.samples, seed=options.seed
    )
    properties = {
        "quantized_by": f"htvm {version('htvm-core')}",
        "source": source.file_name,
        "source_sha256": source.sha256,
        "calibration": f"{data.samples} samples of {options.calibration.text}",
        "seed": str(options.seed),
    }
    if network.notes:
        properties["notes"] = "; ".join(network.notes)
    job = _Job(network=network, data=data, options=options, properties=properties)
    if options.scheme is None:
        made = _common(job, listener)
    else:
        made = _limited(job, options.scheme, listener)
    notes = (*network.notes, *data.warnings, *made.notes)
    return replace(made, notes=notes, hints=network.hints)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    network: FloatNetwork
    data: Calibration
    options: Options
    properties: Mapping[str, str]


def _limited(job: _Job, scheme: Scheme, listener: Listener) -> Outcome:
    """In the arithmetic of an engine."""
    from htvm.quantize.write.integer import integer_model
    from htvm.quantize.write.qdq import qdq_model

    seed, form = job.options.seed, job.options.format
    made = quantise(job.network, job.data, scheme, seed=seed, listener=listener)
    properties = {**job.properties, "quantized_for": scheme.engine}
    notes: tuple[str, ...] = ()
    if form == "integer":
        model = integer_model(made.integers, properties)
    else:
        model = qdq_model(from_integers(made.integers), properties)
        elements, changed = ties(made.integers, job.data.arrays)
        notes = (
            f"QDQ rounds halves to even, {scheme.engine} rounds them up: {changed / elements:.2%} "
            "of the elements computed on the calibration data differ by 1; the integer form is "
            "exact",
        )
    return Outcome(
        model=model,
        format=form,
        input_scale={name: made.integers.scales[name] for name in job.network.inputs},
        input_zero_point={name: made.integers.zeros.get(name, 0) for name in job.network.inputs},
        output_scale=made.integers.output_scale,
        samples=job.data.samples,
        sqnr_db=made.sqnr_db,
        way=made.way,
        notes=notes,
    )


def _common(job: _Job, listener: Listener) -> Outcome:
    """In the arithmetic any processor has."""
    from htvm.quantize.write.qdq import qdq_model

    if job.options.format == "integer":
        raise UsageError(
            "the integer form is for an engine that shifts and floors",
            code="E156",
            seen="--format integer without such an engine",
            accepted="--format qdq, or a target with one",
            hint="--target ID; htvm targets lists the installed ones",
        )
    network, arrays = job.network, job.data.arrays
    made = quantise_qdq(network, arrays, seed=job.options.seed, listener=listener)
    return Outcome(
        model=qdq_model(made, job.properties),
        format="qdq",
        input_scale={name: made.grids[name].scale for name in network.inputs},
        input_zero_point={name: made.grids[name].zero_point for name in network.inputs},
        output_scale=made.grids[network.output].scale,
        samples=job.data.samples,
        sqnr_db=sqnr_db(network, made, arrays),
        way="scales by channel, weights rounded by their outputs",
        notes=(),
    )


def as_source(outcome: Outcome, source: Source) -> Source:
    """The quantised network as a file that is read next, in place of the one it came from."""
    import hashlib

    data = outcome.data
    digest = hashlib.sha256(data).hexdigest()
    return Source(path=source.path, format="onnx", data=data, sha256=digest)
