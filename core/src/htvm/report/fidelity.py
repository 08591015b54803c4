"""What the comparison with the source's own runtime says of each layer."""

from __future__ import annotations

from htvm.deployment import Deployment
from htvm.fidelity.result import Agreement, TensorError
from htvm.report import model
from htvm.report.owners import owners


def fidelity_of(run: Deployment) -> model.Fidelity | None:
    """The comparison in terms of layers; None if there was none."""
    found = run.fidelity
    if found is None:
        return None
    layers = owners(run)
    return model.Fidelity(
        runtime=found.runtime,
        source=found.source,
        samples=found.samples,
        same_network=found.same_network,
        same_class=None if found.agreement is None else found.agreement.same,
        source_accuracy=_accuracy(found.agreement),
        layers=[_layer(error, layers) for error in found.tensors],
        worst_layer=None if found.worst is None else _layer(found.worst, layers).layer,
    )


def _layer(error: TensorError, layers: dict[str, str]) -> model.LayerError:
    return model.LayerError(
        layer=layers.get(error.tensor, error.tensor),
        tensor=error.tensor,
        elements=error.elements,
        max_lsb=error.max_lsb,
        mean_lsb=error.mean_lsb,
        sqnr_db=error.sqnr_db,
        lost_db=error.lost_db,
    )


def _accuracy(agreement: Agreement | None) -> model.Accuracy | None:
    if agreement is None or agreement.source_correct is None:
        return None
    count, correct = agreement.samples, agreement.source_correct
    return model.Accuracy(labels=count, correct=correct, top1=correct / count)
