"""First and second moments of what meets a layer's weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from htvm.quantize.kernels import columns
from htvm.quantize.network import Conv, Dense, Floats, Linear
from htvm.quantize.rounding import Doubles

_CANCELLED = 1e-12
"""Relative to what it is a difference of, more than a covariance is off by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Of the inputs seen, per group of the layer.

    Attributes:
        mean: ``(groups, n)``.
        covariance: ``(groups, n, n)``.
        reference_mean: The same of the inputs wanted.
        cross: Covariance of wanted with seen, ``(groups, n, n)``.
    """

    mean: Doubles
    covariance: Doubles
    reference_mean: Doubles
    cross: Doubles


def moments(op: Linear, seen: Floats, wanted: Floats | None = None) -> Moments:
    """Moments of ``seen``, and how ``wanted`` (the same if not given) goes with them."""
    assert isinstance(op, Conv | Dense)
    groups, inner = grouped(op.weights, op).shape[::2]
    count = 0
    sums = np.zeros((2, groups, inner))
    products = np.zeros((2, groups, inner, inner))
    for ours, theirs in _pairs(op, seen, wanted):
        count += ours.shape[2]
        turned = np.swapaxes(ours, 1, 2)
        sums[0] += ours.sum(axis=2)
        products[0] += np.matmul(ours, turned)
        if theirs is not None:
            sums[1] += theirs.sum(axis=2)
            products[1] += np.matmul(theirs, turned)
    if wanted is None:
        sums[1], products[1] = sums[0], products[0]
    mean, reference = sums / count
    second = products[0] / count
    # What differences of equal numbers leave must not make the matrix negative.
    left = np.trace(second, axis1=1, axis2=2)[:, None, None] * np.eye(inner) * _CANCELLED
    return Moments(
        mean=mean,
        covariance=second - mean[:, :, None] * mean[:, None, :] + left,
        reference_mean=reference,
        cross=products[1] / count - reference[:, :, None] * mean[:, None, :],
    )


def _pairs(
    op: Conv | Dense, seen: Floats, wanted: Floats | None
) -> Iterator[tuple[Floats, Floats | None]]:
    if wanted is None:
        yield from ((part, None) for part in columns(op, seen))
    else:
        yield from zip(columns(op, seen), columns(op, wanted), strict=True)


def grouped(weights: Floats, op: Linear) -> Doubles:
    """Weights as ``(groups, outputs of a group, elements of a kernel)``."""
    groups = op.groups if isinstance(op, Conv) else 1
    return weights.reshape(groups, weights.shape[0] // groups, -1).astype(np.float64)
