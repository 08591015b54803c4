"""``htvm quantize`` as a function: a file and calibration data in, an ONNX model out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

from htvm.deployment import AccuracyBudget
from htvm.errors import UsageError
from htvm.frontend.source import Source
from htvm.host.inputs import InputSpec
from htvm.quantization.asymmetric import exempted_qdq, from_integers, quantise_qdq, run_qdq
from htvm.quantization.budget import BUDGET_PROPERTY, Leaving, Search, Spending, spend, told
from htvm.quantization.calibration import Calibration, load_calibration
from htvm.quantization.execute import output
from htvm.quantization.integer import IntegerNetwork, exempted, logits, ties
from htvm.quantization.judging import judged_samples, trial_samples
from htvm.quantization.network import FloatNetwork, Floats
from htvm.quantization.progress import SILENT, Listener
from htvm.quantization.quality import Run, Samples, mean_squared, sqnr_db
from htvm.quantization.quantise import Quantised, quantise
from htvm.quantization.scheme import Scheme
from htvm.quantization.source.read import float_network

if TYPE_CHECKING:
    from onnx import ModelProto

Format = Literal["integer", "qdq"]
_LITTLE_DB = 20.0
"""Less signal to noise at the output than networks have that see what they were trained on."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to quantise.

    Attributes:
        calibration: Where the calibration data is.
        scheme: The arithmetic to quantise to; None for the common int8 one.
        format: The form to write.
        samples: Calibration samples to use at most.
        seed: Of everything drawn.
        budget: What it may cost; layers that spend too much keep their real numbers.
    """

    calibration: InputSpec
    scheme: Scheme | None
    format: Format
    samples: int | None = None
    seed: int = 0
    budget: AccuracyBudget | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """A quantised model.

    Attributes:
        model: The ONNX model.
        format: Its form.
        input_scale: What 1 stands for at the input, by input; inputs in real numbers are absent.
        input_zero_point: The integer that stands for 0.0 at the input, by input.
        output_scale: What 1 stands for at the output; None if that is in real numbers.
        samples: Calibration samples used.
        sqnr_db: Signal to quantisation noise at the output, on calibration data.
        way: How it was made.
        notes: What the user should know.
        spending: What became of the accuracy budget; None if there was none.
    """

    model: ModelProto
    format: Format
    input_scale: Mapping[str, float]
    input_zero_point: Mapping[str, int]
    output_scale: float | None
    samples: int
    sqnr_db: float
    way: str
    notes: tuple[str, ...]
    spending: Spending | None = None

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
    budget = options.budget
    judged = None if budget is None else judged_samples(budget, network, options.calibration)
    job = _Job(network=network, data=data, options=options, properties=properties, judged=judged)
    if options.scheme is None:
        made = _common(job, listener)
    else:
        made = _limited(job, options.scheme, listener)
    notes = (*network.notes, *data.warnings, *made.notes, *_about_ends(made, network))
    if made.sqnr_db < _LITTLE_DB:
        notes = (*notes, _little(made, data))
    return replace(made, notes=notes)


def _little(made: Outcome, data: Calibration) -> str:
    reach = ", ".join(
        f"{name} from {array.min():g} to {array.max():g}" for name, array in data.arrays.items()
    )
    return (
        f"{made.sqnr_db:.1f} dB at the output are few; the samples hold {reach}: is this what the "
        "network was trained on? --calib-scale and --calib-offset bring samples there"
    )


def _about_ends(made: Outcome, network: FloatNetwork) -> list[str]:
    """What a budget that took much has changed about how the network is called."""
    real = [name for name in network.inputs if name not in made.input_scale]
    found = [f"input {name} takes float32: only layers left real read it" for name in real]
    if made.output_scale is None:
        found.append("the output is float32: the last layer is left real")
    if made.spending is not None and not made.spending.is_kept:
        reached = told(made.spending.last, made.spending.samples)
        found.append(f"the accuracy budget cannot be kept; with no layer quantised: {reached}")
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    network: FloatNetwork
    data: Calibration
    options: Options
    properties: Mapping[str, str]
    judged: Samples | None

    def spent(self, apart: Leaving, together: Leaving, listener: Listener) -> Spending | None:
        """What becomes of the budget, if there is one."""
        if self.options.budget is None or self.judged is None:
            return None
        search = Search(
            network=self.network,
            apart=apart,
            together=together,
            judged=self.judged,
            trials=trial_samples(self.network, self.data),
        )
        return spend(self.options.budget, search, listener)

    def described(self, spending: Spending | None, **more: str) -> dict[str, str]:
        """Properties of the file."""
        found = {**self.properties, **more}
        if spending is not None:
            found[BUDGET_PROPERTY] = json.dumps(spending.document(), separators=(",", ":"))
        return found


def _limited(job: _Job, scheme: Scheme, listener: Listener) -> Outcome:
    """In the arithmetic of an engine."""
    from htvm.quantization.write.integer import integer_model
    from htvm.quantization.write.qdq import qdq_model

    seed, form, arrays = job.options.seed, job.options.format, job.data.arrays
    made = quantise(job.network, job.data, scheme, seed=seed, listener=listener)
    spending = _spent_on(made, job, listener)
    mixed = made.leaving(spending.real if spending else frozenset())
    properties = job.described(spending, quantized_for=scheme.engine)
    notes: tuple[str, ...] = ()
    if form == "integer":
        model = integer_model(mixed, properties)
    else:
        model = qdq_model(from_integers(mixed), properties)
        notes = _about_ties(mixed, arrays, scheme)
    whole = [name for name in job.network.inputs if name not in mixed.real_tensors]
    return Outcome(
        model=model,
        format=form,
        input_scale={name: mixed.scales[name] for name in whole},
        input_zero_point={name: mixed.zeros.get(name, 0) for name in whole},
        output_scale=None if job.network.output in mixed.real_tensors else mixed.output_scale,
        samples=job.data.samples,
        sqnr_db=_sqnr_db(job, _run_of(mixed, form)),
        way=made.way,
        notes=notes,
        spending=spending,
    )


def _spent_on(made: Quantised, job: _Job, listener: Listener) -> Spending | None:
    if job.judged is None:
        return None
    apart = made.unfitted()
    return job.spent(
        lambda real: _run_of(exempted(apart, made.network, real), job.options.format),
        lambda real: _run_of(made.leaving(real), job.options.format),
        listener,
    )


def _run_of(made: IntegerNetwork, form: Format) -> Run:
    """What the file of this form returns: QDQ rounds otherwise than the engine."""
    if form == "integer":
        return partial(logits, made)
    return partial(run_qdq, from_integers(made))


def _about_ties(
    mixed: IntegerNetwork, arrays: Mapping[str, Floats], scheme: Scheme
) -> tuple[str, ...]:
    elements, changed = ties(mixed, arrays)
    if not elements:
        return ()
    return (
        f"QDQ rounds halves to even, {scheme.engine} rounds them up: {changed / elements:.2%} "
        "of the elements computed on the calibration data differ by 1; the integer form is "
        "exact",
    )


def _sqnr_db(job: _Job, run: Run) -> float:
    wanted = output(job.network, job.data.arrays)
    return sqnr_db(wanted, mean_squared(run(job.data.arrays), wanted))


def _common(job: _Job, listener: Listener) -> Outcome:
    """In the arithmetic any processor has."""
    from htvm.quantization.write.qdq import qdq_model

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

    def leaving(real: frozenset[str]) -> Run:
        return partial(run_qdq, exempted_qdq(made, network, real))

    spending = job.spent(leaving, leaving, listener)
    mixed = exempted_qdq(made, network, spending.real if spending else frozenset())
    whole = [name for name in network.inputs if name not in mixed.real_tensors]
    last = None if network.output in mixed.real_tensors else mixed.grids[network.output]
    return Outcome(
        model=qdq_model(mixed, job.described(spending)),
        format="qdq",
        input_scale={name: mixed.grids[name].scale for name in whole},
        input_zero_point={name: mixed.grids[name].zero_point for name in whole},
        output_scale=None if last is None else last.scale,
        samples=job.data.samples,
        sqnr_db=_sqnr_db(job, partial(run_qdq, mixed)),
        way="scales by channel, weights rounded by their outputs",
        notes=(),
        spending=spending,
    )


def as_source(outcome: Outcome, source: Source) -> Source:
    """The quantised network as a file that is read next, in place of the one it came from."""
    import hashlib

    data = outcome.data
    digest = hashlib.sha256(data).hexdigest()
    return Source(path=source.path, format="onnx", data=data, sha256=digest)
