"""Inputs to try a network with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from htvm.ir.dtype import DType
from htvm.ir.graph import Graph
from htvm.ir.ops import Quantize
from htvm.ir.tensor import Array, Tensor
from htvm.numerics.arithmetic import Numbers

Kind = Literal["random", "extreme"]

_FLOAT_MARGIN = 1.25
"""How far float inputs go beyond the range that quantises without saturating."""


def random_inputs(graph: Graph, count: int, seed: int, kind: Kind = "random") -> dict[str, Array]:
    """Inputs for :func:`~htvm.numerics.execute`, the same for the same arguments.

    Args:
        graph: The network.
        count: Number of samples, concatenated along axis 0.
        seed: Of the generator.
        kind: ``"random"``: uniform over the whole range of each input. ``"extreme"``: in turn all
            least, all greatest, alternating, alternating the other way round, zero point; then
            the range's ends at random.

    Returns:
        One array an input. Float inputs cover somewhat more than the range that quantises
        without saturating.
    """
    generator = np.random.default_rng(seed)
    make = _random if kind == "random" else _extreme
    return {
        name: np.concatenate(
            [_sample(graph, graph.tensors[name], make, generator, index) for index in range(count)]
        )
        for name in graph.inputs
    }


_Maker = Callable[[Numbers, tuple[int, ...], np.random.Generator, int], Numbers]


def _sample(
    graph: Graph, tensor: Tensor, make: _Maker, generator: np.random.Generator, index: int
) -> Array:
    lo, zero, hi = _range(graph, tensor)
    array = make(np.array([lo, zero, hi]), tensor.shape, generator, index)
    typed: Numbers = array.astype(tensor.dtype.numpy)
    return typed


def _random(
    levels: Numbers, shape: tuple[int, ...], generator: np.random.Generator, index: int
) -> Numbers:
    del index
    lo, _, hi = levels
    drawn: Numbers = (
        generator.uniform(lo, hi, shape)
        if levels.dtype.kind == "f"
        else generator.integers(lo, hi, shape, dtype=np.int64, endpoint=True)
    )
    return drawn


def _extreme(
    levels: Numbers, shape: tuple[int, ...], generator: np.random.Generator, index: int
) -> Numbers:
    lo, zero, hi = levels
    parity: Numbers = np.indices(shape).sum(axis=0) % 2
    patterns: tuple[Numbers, ...] = (
        np.full(shape, lo),
        np.full(shape, hi),
        np.where(parity == 0, lo, hi),
        np.where(parity == 1, lo, hi),
        np.full(shape, zero),
    )
    return patterns[index] if index < len(patterns) else generator.choice([lo, hi], shape)


def _range(graph: Graph, tensor: Tensor) -> tuple[float, float, float]:
    """Least value, the value that stands for 0.0, and greatest value."""
    if tensor.dtype is DType.FLOAT32:
        return _float_range(graph, tensor)
    zero = tensor.quantization.zero_point if tensor.quantization else 0
    lo, hi = (0, 1) if tensor.dtype is DType.BOOL else tensor.dtype.bounds
    return lo, min(max(zero, lo), hi), hi


def _float_range(graph: Graph, tensor: Tensor) -> tuple[float, float, float]:
    for node in graph.consumers[tensor.name]:
        if isinstance(node.op, Quantize):
            scale = float(node.op.scale.max()) * _FLOAT_MARGIN
            return (
                scale * (node.op.lo - node.op.zero_point),
                0.0,
                scale * (node.op.hi - node.op.zero_point),
            )
    return -1.0, 0.0, 1.0
