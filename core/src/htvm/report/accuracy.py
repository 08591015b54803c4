"""Accuracy of the generated C on labelled inputs."""

from __future__ import annotations

import numpy as np

from htvm.deployment import Deployment
from htvm.report.model import Accuracy


def accuracy_of(run: Deployment) -> Accuracy | None:
    """Share of the given samples whose greatest output is the label's.

    None without labels, or when the network does not give one row of scores per sample.
    """
    if run.verification is None or len(run.given) != 1:
        return None
    outputs = list(run.verification.outputs.values())
    labels = run.given[0].labels
    if labels is None or len(outputs) != 1:
        return None
    scores = outputs[0].reshape(len(outputs[0]), -1)
    if len(scores) != len(labels) or scores.shape[1] < 2:
        return None
    correct = int((scores.argmax(axis=1) == np.asarray(labels)).sum())
    return Accuracy(labels=len(labels), correct=correct, top1=correct / len(labels))
