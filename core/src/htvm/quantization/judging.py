"""The samples an accuracy budget is measured on."""

from __future__ import annotations

from pathlib import Path

from htvm.deployment import AccuracyBudget
from htvm.errors import UsageError
from htvm.host.inputs import InputSpec, load_labels
from htvm.ir.tensor import Array
from htvm.quantization.budget import trials_of
from htvm.quantization.calibration import Calibration, load_calibration
from htvm.quantization.execute import output
from htvm.quantization.network import FloatNetwork
from htvm.quantization.quality import Samples, judged_by


def judged_samples(budget: AccuracyBudget, network: FloatNetwork, given: InputSpec) -> Samples:
    """The samples a budget is about: its own, or else all calibration samples.

    Args:
        budget: The budget.
        network: The source network.
        given: Where the calibration data is.

    Raises:
        UsageError: The samples cannot be used, or have no labels where accuracy is asked for
            (E157) or labels that are no classes of the network (E158).
    """
    spec = budget.judged_on or given
    data = load_calibration(spec, network)
    labels = None if budget.max_drop is None else _labels(spec, data)
    return judged_by(lambda x: output(network, x), data.arrays, labels, spec.text)


def trial_samples(network: FloatNetwork, calibration: Calibration) -> Samples:
    """The samples by which layers are compared: a few of the calibration data."""
    few = trials_of(calibration.arrays)
    return judged_by(lambda x: output(network, x), few, None, "calibration data")


def _labels(spec: InputSpec, data: Calibration) -> Array:
    labels = None if Path(spec.path).is_dir() else load_labels(spec, data.samples)
    if labels is None:
        raise UsageError(
            f"the samples of {spec.text} have no labels to measure accuracy by",
            code="E157",
            accepted="a file .npz with an array 'labels', the class of each sample",
            hint="--eval FILE[:KEY] for labelled samples, or --min-sqnr DB, which needs no labels",
        )
    return labels
