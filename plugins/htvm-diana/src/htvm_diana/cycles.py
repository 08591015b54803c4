"""Cycles of the digital core and its transfers, from the two public latency models.

MATCH counts, for each output row of 16 columns x 16 channels, the kernel rows really read and a
fixed start; ODiMO/PLiNIO counts multiply-accumulate steps only. Neither overlaps anything: the core
does one transfer or one job at a time. Both count a convolution of one input channel for a
depthwise launch and for 256 elements of a sum, and a 1x1 convolution of one column for a dense
layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htvm.api import Hardware, PluginError
from htvm_diana.problem import Problem, round_up

LANES = 16
"""Output columns, and output channels, the array computes at once; also the L1 alignment."""
CHUNK_BYTES = 32
"""Unit of a transfer's length."""
DEPTHWISE_SLOTS = 4
"""Channels of one block of depthwise weights."""

_MODELS = ("match", "odimo")
_BUILT_FOR = {
    "columns": LANES,
    "channels": LANES,
    "dma_length_bytes": CHUNK_BYTES,
    "dma_l1_align_bytes": LANES,
}


@dataclass(frozen=True, kw_only=True)
class Core:
    """The numbers of the digital core that tiling needs.

    Attributes:
        l1_bytes: Shared activation memory.
        weight_bytes: Weight memory.
        model: ``"match"`` or ``"odimo"``.
        row_cycles: Fixed part of a row of 16 x 16 outputs; MATCH only.
        dma_bytes_per_cycle: Transfer speed.
        dma_chunk_cycles: Fixed part of each contiguous chunk.
        dma_stride_max_bytes: Largest distance of two chunks of one transfer.
        depthwise_channels_per_launch: Depthwise channels computed together.
        step_cycles: Host cycles to start one transfer or job; the wait for it hides behind it.
    """

    l1_bytes: int
    weight_bytes: int
    model: str = "match"
    row_cycles: int = 23
    dma_bytes_per_cycle: float = 16
    dma_chunk_cycles: int = 70
    dma_stride_max_bytes: int = 65_535
    depthwise_channels_per_launch: int = 1
    step_cycles: int = 0


def core_of(hardware: Hardware, engine: str = "digital") -> Core:
    """The digital core a hardware description describes.

    Raises:
        PluginError: A parameter has a value the layouts and the tiler are not built for.
    """
    parameters = hardware.engines[engine].parameters
    wrong = {key: parameters[key] for key, value in _BUILT_FOR.items() if parameters[key] != value}
    model = str(parameters["cycle_model"])
    speed = float(parameters["dma_bytes_per_cycle"])
    if wrong or model not in _MODELS or speed <= 0:
        raise PluginError(
            f"engine {engine!r} has parameters this plug-in cannot use",
            code="E624",
            seen=f"{wrong or ''} cycle_model={model} dma_bytes_per_cycle={speed:g}".strip(),
            accepted=f"{_BUILT_FOR}, cycle_model one of {_MODELS}, dma_bytes_per_cycle above 0",
        )
    return Core(
        l1_bytes=hardware.memories["l1"].size_bytes,
        weight_bytes=hardware.memories["weights"].size_bytes,
        model=model,
        row_cycles=int(parameters["row_cycles"]),
        dma_bytes_per_cycle=speed,
        dma_chunk_cycles=int(parameters["dma_chunk_cycles"]),
        dma_stride_max_bytes=int(parameters["dma_stride_max_bytes"]),
        depthwise_channels_per_launch=int(parameters["depthwise_channels_per_launch"]),
        step_cycles=int(parameters.get("step_cycles", 0)),
    )


def transfer_cycles(core: Core, chunk_bytes: Any, count: Any) -> Any:
    """Cycles of one transfer of ``count`` chunks; takes integers or integer arrays."""
    moved = np.ceil(np.multiply(chunk_bytes, count) / core.dma_bytes_per_cycle)
    return moved.astype(np.int64) + np.multiply(count, core.dma_chunk_cycles)


def kernel_rows_read(problem: Problem) -> NDArray[np.int64]:
    """For each output row, how many kernel rows lie on input rows that exist."""
    top = np.arange(problem.output.rows) * problem.stride - problem.pad_top
    first = np.maximum(top, 0)
    end = np.minimum(top + problem.kernel[0], problem.inputs[0].rows)
    return np.asarray(np.maximum(end - first, 0))


def row_cycles(core: Core, problem: Problem, channels: int) -> NDArray[np.int64]:
    """For each output row, cycles of 16 columns x 16 channels reading ``channels`` planes."""
    height, width = problem.kernel
    if core.model == "odimo":
        return np.full(problem.output.rows, channels * height * width, dtype=np.int64)
    reading = channels * kernel_rows_read(problem) * (width + 2)
    return np.asarray(reading + core.row_cycles)


def launches(core: Core, problem: Problem, outputs: int) -> int:
    """How often the rows of a job with ``outputs`` channels are computed."""
    if problem.kind == "depthwise":
        return math.ceil(outputs / core.depthwise_channels_per_launch)
    return math.ceil(outputs / LANES)


def dense_cycles(core: Core, inputs: int, outputs: int) -> int:
    """Cycles of a fully connected job."""
    steps = round_up(inputs, LANES)
    block = steps if core.model == "odimo" else 3 * steps + core.row_cycles
    return math.ceil(outputs / LANES) * block


def sum_cycles(core: Core, length: Any) -> Any:
    """Cycles of an element-wise sum of ``length`` bytes; takes an integer or an integer array."""
    group = 1 if core.model == "odimo" else 3 + core.row_cycles
    return -(-length // (LANES * LANES)) * group
