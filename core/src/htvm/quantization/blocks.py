"""Blocks of neighbouring inputs, within which the correlations of a layer's inputs are kept.

All correlations of ten thousand inputs are gigabytes, and take minutes to invert. Without those
between blocks the errors that blocks make still add up, but each is small where the samples lie.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Real = TypeVar("Real", np.float32, np.float64)

MOST_TOGETHER = 1024
"""Inputs of a group up to which all correlations are kept."""
_WIDTH = 768
"""Inputs of a block, at most, where they are not."""


def block_count(inputs: int) -> int:
    """Blocks of so many inputs; all are of one width, and the last may reach past the end."""
    return 1 if inputs <= MOST_TOGETHER else -(-inputs // _WIDTH)


def split(inputs: npt.NDArray[Real], count: int) -> npt.NDArray[Real]:
    """Inputs in blocks, zeros past their end.

    Args:
        inputs: ``(groups, inputs, positions)``.
        count: Blocks of a group.

    Returns:
        ``(groups * count, width, positions)``.
    """
    groups, size, positions = inputs.shape
    missing = -size % count
    whole = np.pad(inputs, ((0, 0), (0, missing), (0, 0))) if missing else inputs
    return whole.reshape(groups * count, (size + missing) // count, positions)


def split_weights(weights: npt.NDArray[Real], blocks: int) -> npt.NDArray[Real]:
    """Weights as the blocks of their inputs meet them.

    Args:
        weights: ``(groups, outputs, inputs)``.
        blocks: Blocks of all groups.

    Returns:
        ``(blocks, outputs, width)``.
    """
    if blocks == len(weights):
        return weights
    return split(weights.swapaxes(1, 2), blocks // len(weights)).swapaxes(1, 2)


def join_weights(weights: npt.NDArray[Real], shape: tuple[int, ...]) -> npt.NDArray[Real]:
    """What :func:`split_weights` made, back in its shape ``(groups, outputs, inputs)``."""
    if weights.shape == shape:
        return weights
    groups, outputs, inputs = shape
    whole = weights.swapaxes(1, 2).reshape(groups, -1, outputs)
    return whole[:, :inputs].swapaxes(1, 2)
