"""What the numbers of a network's tensors stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from htvm.ir.graph import Graph
from htvm.ir.tensor import Tensor
from htvm.quantization.write.meanings import stored_factors, stored_names, stored_scales

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Meaning:
    """``real = step * (number - zero_point)``.

    Attributes:
        step: One number, or one for every channel, shaped to broadcast; None for integers of which
            nothing is known.
        zero_point: The number that stands for 0.0.
    """

    step: Doubles | None
    zero_point: int = 0


def meanings(graph: Graph) -> dict[str, Meaning]:
    """Of every computed tensor: by what its file says of it, and by its quantisation."""
    scales, factors = stored_scales(graph.origin), stored_factors(graph.origin)
    names = stored_names(graph.origin)
    return {
        node.output: _meaning(
            graph.tensors[node.output],
            scales,
            factors.get(names.get(node.output, node.output), ()),
        )
        for node in graph.nodes
    }


def _meaning(tensor: Tensor, scales: Mapping[str, float], factors: Sequence[float]) -> Meaning:
    factor = _by_channel(factors, len(tensor.shape))
    if not tensor.dtype.is_integer:
        return Meaning(step=factor)
    if tensor.name in scales:
        return Meaning(step=scales[tensor.name] * factor)
    stated = tensor.quantization
    if stated is None or len(stated.scale) != 1:
        return Meaning(step=None)
    return Meaning(step=stated.scale[0] * factor, zero_point=stated.zero_point)


def _by_channel(factors: Sequence[float], rank: int) -> Doubles:
    """Factors of channels shaped to broadcast; 1 without any."""
    if not factors or rank < 2:
        return np.ones(1)
    return np.asarray(factors, dtype=np.float64).reshape((1, -1) + (1,) * (rank - 2))
