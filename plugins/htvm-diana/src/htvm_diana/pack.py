"""Weights and biases in the order the digital core reads them, and back.

All functions are pure. Orders are written as the core sees memory; :func:`reverse_words` is the one
place that turns them into what the host stores.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LANES = 16
"""Output channels the array computes side by side, and so the width of every weight row."""
DEPTHWISE_SLOTS = 4
"""Lanes one channel occupies in a depthwise weight row: itself and three zeros."""
BIAS_BYTES = 4
DENSE_BIAS_BYTES = 16

Bytes = npt.NDArray[np.uint8]
Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]


def reverse_words(data: Bytes) -> Bytes:
    """Bytes with the order reversed inside each group of four; its own inverse.

    Args:
        data: Any number of whole words, one axis.
    """
    return np.ascontiguousarray(data.reshape(-1, 4)[:, ::-1]).reshape(-1)


def conv2d_block_bytes(channels: int, kernel: tuple[int, int]) -> int:
    """Bytes of one block of 16 output channels, bias included."""
    return channels * kernel[0] * kernel[1] * LANES + LANES * BIAS_BYTES


def depthwise_block_bytes(kernel: tuple[int, int]) -> int:
    """Bytes of one block of four depthwise channels, bias included."""
    return conv2d_block_bytes(1, kernel)


def dense_block_bytes(channels: int) -> int:
    """Bytes of one block of 16 outputs, bias included."""
    return _ceil(channels, LANES) * LANES + LANES * DENSE_BIAS_BYTES


def pack_conv2d(weights: Int8s, bias: Int32s) -> Bytes:
    """Blocks of 16 output channels: ``[C][kh][kw][16]`` weights, then four bias byte planes.

    Args:
        weights: ``(K, C, kh, kw)``; K is filled up to a multiple of 16 with zeros.
        bias: ``(K,)``.

    Returns:
        ``ceil(K/16)`` blocks of :func:`conv2d_block_bytes`, as the host stores them.
    """
    outputs, channels, rows, columns = weights.shape
    blocks = _blocks(outputs, LANES)
    filled = _fill(weights, blocks * LANES)
    lanes = filled.reshape(blocks, LANES, channels, rows, columns).transpose(0, 2, 3, 4, 1)
    body = np.ascontiguousarray(lanes).view(np.uint8).reshape(blocks, -1)
    return reverse_words(np.concatenate([body, _bias_planes(bias, blocks)], axis=1).reshape(-1))


def unpack_conv2d(data: Bytes, shape: tuple[int, int, int, int]) -> tuple[Int8s, Int32s]:
    """Inverse of :func:`pack_conv2d` for weights of ``shape``."""
    outputs, channels, rows, columns = shape
    table = reverse_words(data).reshape(-1, conv2d_block_bytes(channels, (rows, columns)))
    body, planes = np.split(table, [-LANES * BIAS_BYTES], axis=1)
    lanes = np.ascontiguousarray(body).view(np.int8).reshape(-1, channels, rows, columns, LANES)
    weights = lanes.transpose(0, 4, 1, 2, 3).reshape(-1, channels, rows, columns)
    return np.ascontiguousarray(weights[:outputs]), _bias_of_planes(planes)[:outputs]


def pack_depthwise(weights: Int8s, bias: Int32s) -> Bytes:
    """Blocks of four channels: ``[kh][kw][16 slots]`` weights, then four bias byte planes.

    Channel ``i`` takes slot ``4 * (i % 4)`` of block ``i // 4``; the slots between stay zero.

    Args:
        weights: ``(C, kh, kw)``.
        bias: ``(C,)``.
    """
    spread = np.zeros((weights.shape[0] * DEPTHWISE_SLOTS, 1, *weights.shape[1:]), np.int8)
    spread[::DEPTHWISE_SLOTS, 0] = weights
    slots = np.zeros(bias.shape[0] * DEPTHWISE_SLOTS, np.int32)
    slots[::DEPTHWISE_SLOTS] = bias
    return pack_conv2d(spread, slots)


def unpack_depthwise(data: Bytes, shape: tuple[int, int, int]) -> tuple[Int8s, Int32s]:
    """Inverse of :func:`pack_depthwise` for weights of ``shape``."""
    channels, rows, columns = shape
    weights, bias = unpack_conv2d(data, (channels * DEPTHWISE_SLOTS, 1, rows, columns))
    return np.ascontiguousarray(weights[::DEPTHWISE_SLOTS, 0]), bias[::DEPTHWISE_SLOTS]


def pack_dense(weights: Int8s, bias: Int32s) -> Bytes:
    """Blocks of 16 outputs: ``[C/16][16 out][16 in]`` weights, then 128-bit biases.

    Args:
        weights: ``(N, C)``; both are filled up to multiples of 16 with zeros.
        bias: ``(N,)``; sign-extended.
    """
    outputs, channels = weights.shape
    blocks, groups = _blocks(outputs, LANES), _blocks(channels, LANES)
    filled = np.zeros((blocks * LANES, groups * LANES), np.int8)
    filled[:outputs, :channels] = weights
    tiles = filled.reshape(blocks, LANES, groups, LANES).transpose(0, 2, 1, 3)
    body = np.ascontiguousarray(tiles).view(np.uint8).reshape(blocks, -1)
    wide = np.zeros((blocks * LANES, DENSE_BIAS_BYTES // 4), np.dtype("<i4"))
    wide[:outputs] = (bias >> 31)[:, None]
    wide[:outputs, 0] = bias
    biases = wide.view(np.uint8).reshape(blocks, -1)
    return reverse_words(np.concatenate([body, biases], axis=1).reshape(-1))


def unpack_dense(data: Bytes, shape: tuple[int, int]) -> tuple[Int8s, Int32s]:
    """Inverse of :func:`pack_dense` for weights of ``shape``."""
    outputs, channels = shape
    table = reverse_words(data).reshape(-1, dense_block_bytes(channels))
    body, biases = np.split(table, [-LANES * DENSE_BIAS_BYTES], axis=1)
    tiles = np.ascontiguousarray(body).view(np.int8).reshape(table.shape[0], -1, LANES, LANES)
    weights = tiles.transpose(0, 2, 1, 3).reshape(table.shape[0] * LANES, -1)
    words = np.ascontiguousarray(biases).view(np.dtype("<i4")).reshape(-1, DENSE_BIAS_BYTES // 4)
    return (
        np.ascontiguousarray(weights[:outputs, :channels]),
        words[:outputs, 0].astype(np.int32),
    )


def _bias_planes(bias: Int32s, blocks: int) -> Bytes:
    """``(blocks, 64)``: byte 0 of 16 channels, then byte 1, and so on."""
    filled = np.zeros(blocks * LANES, np.dtype("<i4"))
    filled[: bias.shape[0]] = bias
    planes = filled.view(np.uint8).reshape(blocks, LANES, BIAS_BYTES).transpose(0, 2, 1)
    return np.ascontiguousarray(planes).reshape(blocks, -1)


def _bias_of_planes(planes: Bytes) -> Int32s:
    channels = planes.reshape(-1, BIAS_BYTES, LANES).transpose(0, 2, 1)
    return np.ascontiguousarray(channels).view(np.dtype("<i4")).reshape(-1).astype(np.int32)


def _fill(weights: Int8s, outputs: int) -> Int8s:
    filled = np.zeros((outputs, *weights.shape[1:]), np.int8)
    filled[: weights.shape[0]] = weights
    return filled


def _blocks(count: int, size: int) -> int:
    return -(-count // size)


def _ceil(count: int, size: int) -> int:
    return _blocks(count, size) * size
