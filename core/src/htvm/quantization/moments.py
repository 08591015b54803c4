"""First and second moments of what meets a layer's weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from htvm.quantization.kernels import columns
from htvm.quantization.network import Conv, Dense, Floats, Linear
from htvm.quantization.rounding import Doubles


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
    mean, reference = np.zeros((2, groups, inner))
    scatter = np.zeros((groups, inner, inner))
    cross = scatter if wanted is None else np.zeros_like(scatter)
    for ours, theirs in _pairs(op, seen, wanted):
        fresh = ours.shape[2]
        share = fresh / (count + fresh)
        away, spread = _centred(ours, mean)
        turned = np.swapaxes(spread, 1, 2)
        scatter += np.matmul(spread, turned) + _outer(away, away) * (count * share)
        mean += away * share
        if theirs is not None:
            apart, width = _centred(theirs, reference)
            cross += np.matmul(width, turned) + _outer(apart, away) * (count * share)
            reference += apart * share
        count += fresh
    return Moments(
        mean=mean,
        covariance=scatter / count,
        reference_mean=mean if wanted is None else reference,
        cross=cross / count,
    )


def _centred(part: Floats, mean: Doubles) -> tuple[Doubles, Floats]:
    """How far the mean of a part is from ``mean``, and the part about its own.

    Float32 would lose the spread of inputs that lie far from zero in the squares of their mean.
    """
    own = part.mean(axis=2, dtype=np.float64)
    return own - mean, part - own.astype(np.float32)[:, :, None]


def _outer(left: Doubles, right: Doubles) -> Doubles:
    return np.asarray(left[:, :, None] * right[:, None, :])


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
