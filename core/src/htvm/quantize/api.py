"""``htvm quantize`` as a function: a file and calibration data in, an ONNX model out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

from htvm.errors import UsageError
from htvm.frontend.source import Source
from htvm.host.inputs import InputSpec
from htvm.quantize.calibration import load_calibration
from htvm.quantize.quantise import Progress, quantise
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
        output_scale: What 1 stands for at the output.
        samples: Calibration samples used.
        sqnr_db: Signal to quantisation noise at the output, on calibration data.
        way: How it was made.
        notes: What the user should know.
    """

    model: ModelProto
    format: Format
    input_scale: Mapping[str, float]
    output_scale: float
    samples: int
    sqnr_db: float
    way: str
    notes: tuple[str, ...]

    @property
    def data(self) -> bytes:
        """The file's bytes, the same for the same request."""
        return bytes(self.model.SerializeToString(deterministic=True))


def quantize_source(source: Source, options: Options, progress: Progress | None = None) -> Outcome:
    """Quantise a network that was read.

    Args:
        source: Float, or quantised in a form that can be dequantised.
        options: How.
        progress: Called with a line for people as the work goes on.

    Raises:
        UsageError: The file or the calibration data cannot be used.
        UnsupportedModelError: The network cannot be taken, or not in this arithmetic.
    """
    from htvm.quantize.write.integer import integer_model

    network = float_network(source)
    data = load_calibration(
        options.calibration, network, samples=options.samples, seed=options.seed
    )
    scheme = options.scheme
    if scheme is None or options.format == "qdq":
        raise UsageError("only the integer form can be written", code="E155")
    made = quantise(network, data, scheme, seed=options.seed, progress=progress)
    properties = {
        "quantized_by": f"htvm {version('htvm-core')}",
        "quantized_for": scheme.engine,
        "source": source.path.name,
        "source_sha256": source.sha256,
        "calibration": f"{data.samples} samples of {options.calibration.text}",
        "seed": str(options.seed),
    }
    if network.notes:
        properties["notes"] = "; ".join(network.notes)
    return Outcome(
        model=integer_model(made.integers, properties),
        format="integer",
        input_scale={name: made.integers.scales[name] for name in network.inputs},
        output_scale=made.integers.output_scale,
        samples=data.samples,
        sqnr_db=made.sqnr_db,
        way=made.way,
        notes=(*network.notes, *data.warnings),
    )


def as_source(outcome: Outcome, source: Source) -> Source:
    """The quantised network as a file that is read next, in place of the one it came from."""
    import hashlib

    data = outcome.data
    digest = hashlib.sha256(data).hexdigest()
    return Source(path=source.path, format="onnx", data=data, sha256=digest)
