"""Rounds weights with the output in view.

The error a rounded weight causes is seen through the second moments of the layer's inputs: what
one weight is off by, the weights not yet rounded make good, and afterwards single steps up or down
are taken as long as they lower the error of the output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from htvm.quantization.blocks import join_weights, split_weights

Doubles = npt.NDArray[np.float64]

_DAMPING = 0.01
_SWEEPS = 8


@dataclass(frozen=True, kw_only=True)
class Range:
    """Integers weights may take."""

    lo: int
    hi: int


def nearest(weights: Doubles, step: float, allowed: Range) -> Doubles:
    """Each weight rounded by itself."""
    return np.clip(np.rint(weights / step), allowed.lo, allowed.hi)


def error(difference: Doubles, moments: Doubles) -> float:
    """Mean squared error of the outputs, summed over them, for a difference of weights.

    Args:
        difference: ``(groups, outputs, inputs)``.
        moments: Second moments of the inputs, ``(groups, inputs, inputs)`` or in blocks.
    """
    met = split_weights(difference, len(moments))
    return float(np.einsum("gki,gki->", np.matmul(met, moments), met))


def compensated(weights: Doubles, moments: Doubles, step: float, allowed: Range) -> Doubles:
    """Weights as whole multiples of ``step``, rounded one after another.

    Args:
        weights: ``(groups, outputs, inputs)``.
        moments: Second moments of the inputs, ``(groups, inputs, inputs)`` or in blocks, each of
            which is then rounded for itself.
        step: The weights' scale.
        allowed: Integers they may become.
    """
    damped = _damped(moments)
    order = np.argsort(-np.diagonal(damped, axis1=1, axis2=2), axis=1, kind="stable")
    scaled = np.take_along_axis(
        split_weights(weights, len(moments)) / step, order[:, None, :], axis=2
    )
    sorted_moments = np.take_along_axis(
        np.take_along_axis(damped, order[:, :, None], axis=1), order[:, None, :], axis=2
    )
    first = _fed_forward(scaled, sorted_moments, allowed)
    best = _descended(scaled, first, sorted_moments, allowed)
    result = np.empty_like(best)
    np.put_along_axis(result, order[:, None, :], best, axis=2)
    return join_weights(result, weights.shape)


def _damped(moments: Doubles) -> Doubles:
    size = moments.shape[1]
    mean = np.trace(moments, axis1=1, axis2=2) / size
    floor = np.maximum(mean * _DAMPING, np.maximum(mean.max() * 1e-6, 1e-30))
    return np.asarray(moments + floor[:, None, None] * np.eye(size))


def _fed_forward(weights: Doubles, moments: Doubles, allowed: Range) -> Doubles:
    """Round in order; what is lost is made good by the weights still to come."""
    upper = np.swapaxes(np.linalg.cholesky(np.linalg.inv(moments)), 1, 2)
    rest = weights.copy()
    rounded = np.empty_like(weights)
    for index in range(weights.shape[2]):
        column = rest[:, :, index]
        rounded[:, :, index] = np.clip(np.rint(column), allowed.lo, allowed.hi)
        lost = (column - rounded[:, :, index]) / upper[:, index, index][:, None]
        rest[:, :, index + 1 :] -= lost[:, :, None] * upper[:, None, index, index + 1 :]
    return rounded


def _descended(weights: Doubles, start: Doubles, moments: Doubles, allowed: Range) -> Doubles:
    """Move single weights as long as that lowers the error."""
    rounded = start.copy()
    slope = np.matmul(rounded - weights, moments)
    curvature = np.diagonal(moments, axis1=1, axis2=2)
    for _ in range(_SWEEPS):
        moved = False
        for index in range(weights.shape[2]):
            wanted = rounded[:, :, index] - slope[:, :, index] / curvature[:, None, index]
            better = np.clip(np.rint(wanted), allowed.lo, allowed.hi)
            step = better - rounded[:, :, index]
            if step.any():
                moved = True
                rounded[:, :, index] = better
                slope += step[:, :, None] * moments[:, None, index, :]
        if not moved:
            break
    return rounded
