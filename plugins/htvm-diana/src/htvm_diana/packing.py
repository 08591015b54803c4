"""The constants of a layer: its realisation's weights and biases, packed for its kind of job."""

from __future__ import annotations

import numpy as np

from htvm.api import Constant, DType
from htvm_diana import pack
from htvm_diana.forms import Int8s, Int32s
from htvm_diana.rewrites import Realisation

WEIGHTS = "weights"


def constants(one: Realisation) -> tuple[Constant, ...]:
    """The packed weights, or nothing for a sum."""
    if one.weights is None or one.bias is None:
        return ()
    data = _pack(one, one.weights, one.bias)
    return (
        Constant(name=WEIGHTS, dtype=DType.UINT8, data=data, align_bytes=16, engine_reads=True),
    )


def size_bytes(one: Realisation) -> int:
    """Bytes :func:`constants` would take, without packing them."""
    if one.weights is None:
        return 0
    problem = one.problem
    outputs, inputs = int(one.weights.shape[0]), int(one.weights.shape[1])
    blocks = -(-outputs // pack.LANES)
    if problem.kind == "dense":
        return blocks * pack.dense_block_bytes(inputs)
    if problem.kind == "depthwise":
        return -(-outputs // pack.DEPTHWISE_SLOTS) * pack.depthwise_block_bytes(problem.kernel)
    if problem.diagonal:
        sizes = (min(pack.LANES, outputs - at) for at in range(0, outputs, pack.LANES))
        return sum(pack.conv2d_block_bytes(size, problem.kernel) for size in sizes)
    return blocks * pack.conv2d_block_bytes(inputs, problem.kernel)


def _pack(one: Realisation, weights: Int8s, bias: Int32s) -> pack.Bytes:
    if one.problem.kind == "dense":
        return pack.pack_dense(weights, bias)
    if one.problem.kind == "depthwise":
        return pack.pack_depthwise(weights[:, 0], bias)
    if one.problem.diagonal:
        return diagonal(weights, bias)
    return pack.pack_conv2d(weights, bias)


def diagonal(weights: Int8s, bias: Int32s) -> pack.Bytes:
    """Depthwise weights ``(C, 1, fy, fx)`` as convolutions of 16 channels onto themselves.

    Each block of 16 outputs reads its own inputs only; the last block has as many as are left.
    """
    blocks = []
    for start in range(0, weights.shape[0], pack.LANES):
        part = weights[start : start + pack.LANES]
        count = np.arange(part.shape[0])
        square = np.zeros((count.size, count.size, *part.shape[2:]), np.int8)
        square[count, count] = part[:, 0]
        blocks.append(pack.pack_conv2d(square, bias[start : start + pack.LANES]))
    return np.concatenate(blocks)
