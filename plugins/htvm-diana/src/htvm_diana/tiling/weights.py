"""Size of packed weights, block by block."""

from __future__ import annotations

from htvm_diana.cycles import DEPTHWISE_SLOTS, LANES
from htvm_diana.problem import Problem, round_up

_BIAS_BYTES = 4 * LANES
_DENSE_BIAS_BYTES = 16 * LANES


def block_outputs(problem: Problem) -> int:
    """Output channels of one block of weights; tiles of channels are multiples of it."""
    return DEPTHWISE_SLOTS if problem.kind == "depthwise" else LANES


def block_inputs(problem: Problem, block: int) -> int:
    """Input channels that one block reads."""
    if problem.kind == "depthwise":
        return 1
    if problem.diagonal:
        return min(LANES, problem.c - block * LANES)
    return problem.c


def weight_offset(problem: Problem, output: int) -> int:
    """First byte of the block that starts at output channel ``output``."""
    return output // block_outputs(problem) * _block_bytes(problem, 0)


def weight_bytes(problem: Problem, start: int, end: int) -> int:
    """Bytes of the blocks of output channels ``[start, end)``."""
    per_block = block_outputs(problem)
    last = -(-end // per_block) - 1
    return weight_offset(problem, last * per_block - start) + _block_bytes(problem, last)


def _block_bytes(problem: Problem, block: int) -> int:
    if problem.kind == "dense":
        return round_up(problem.c, LANES) * LANES + _DENSE_BIAS_BYTES
    height, width = problem.kernel
    return block_inputs(problem, block) * height * width * LANES + _BIAS_BYTES
