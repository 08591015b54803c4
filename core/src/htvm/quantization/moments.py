"""First and second moments of what meets a layer's weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from htvm.quantization.blocks import block_count, split
from htvm.quantization.kernels import columns
from htvm.quantization.network import Conv, Dense, Floats, Linear
from htvm.quantization.rounding import Doubles


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Of the inputs seen, per group of the layer.

    Attributes:
        mean: ``(groups, n)``.
        covariance: ``(groups, n, n)``; of many inputs only what lies in the blocks of
            :mod:`htvm.quantization.blocks`, ``(groups * blocks, width, width)``.
        reference_mean: The same as the mean, of the inputs wanted.
        cross: Covariance of wanted with seen, in the shape of the covariance.
    """

    mean: Doubles
    covariance: Doubles
    reference_mean: Doubles
    cross: Doubles


def moments(op: Linear, seen: Floats, wanted: Floats | None = None) -> Moments:
    """Moments of ``seen``, and how ``wanted`` (the same if not given) goes with them."""
    assert isinstance(op, Conv | Dense)
    groups, inner = grouped(op.weights, op).shape[::2]
    blocks = block_count(inner)
    width = -(-inner // blocks)
    count = 0
    mean, reference = np.zeros((2, groups * blocks, width))
    scatter = np.zeros((groups * blocks, width, width))
    cross = scatter if wanted is None else np.zeros_like(scatter)
    for ours, theirs in _pairs(op, seen, wanted, blocks):
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
    covariance = scatter / count
    mean, reference = (of.reshape(groups, -1)[:, :inner] for of in (mean, reference))
    return Moments(
        mean=mean,
        covariance=covariance,
        reference_mean=mean if wanted is None else reference,
        cross=covariance if wanted is None else cross / count,
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
    op: Conv | Dense, seen: Floats, wanted: Floats | None, blocks: int
) -> Iterator[tuple[Floats, Floats | None]]:
    if wanted is None:
        yield from ((split(part, blocks), None) for part in columns(op, seen))
        return
    for ours, theirs in zip(columns(op, seen), columns(op, wanted), strict=True):
        yield split(ours, blocks), split(theirs, blocks)


def grouped(weights: Floats, op: Linear) -> Doubles:
    """Weights as ``(groups, outputs of a group, elements of a kernel)``."""
    groups = op.groups if isinstance(op, Conv) else 1
    return weights.reshape(groups, weights.shape[0] // groups, -1).astype(np.float64)
