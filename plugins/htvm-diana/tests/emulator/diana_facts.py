"""DIANA's digital core in numpy, written from the hardware facts: layouts and arithmetic.

Knows nothing of the plug-in's packers or tiler, so that a mistake of theirs is not shared here.
"""

import numpy as np


def ceil16(value):
    return -(-value // 16) * 16


def reverse_words(data):
    """The host's view of what the core sees: bytes swapped within every aligned group of four."""
    data = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
    return data.reshape(-1, 4)[:, ::-1].reshape(-1).copy()


def pad_to(data, multiple):
    return np.concatenate([data, np.zeros(-data.size % multiple, np.uint8)])


def planes(x, pitch=None):
    """C-H-W planes whose rows take a multiple of 16 bytes, as the host stores them."""
    c, h, w = x.shape
    rows = np.zeros((c, h, pitch or ceil16(w)), np.int8)
    rows[:, :, :w] = x
    return pad_to(reverse_words(rows), 32)


def read_planes(data, c, h, w):
    rows = reverse_words(data[: c * h * ceil16(w)]).view(np.int8)
    return rows.reshape(c, h, ceil16(w))[:, :, :w]


def bias_planes(bias16):
    """Four planes of 16 bytes, least significant first."""
    return bias16.astype("<i4").view(np.uint8).reshape(16, 4).T.reshape(-1)


def _blocks16(values):
    padded = np.zeros((ceil16(len(values)), *values.shape[1:]), values.dtype)
    padded[: len(values)] = values
    return padded.reshape(-1, 16, *values.shape[1:])


def conv_weights(w, bias):
    """[Cout/16][Cin][ky][kx][16] with 64 bytes of bias after each block of 16 channels."""
    parts = []
    for block, b in zip(_blocks16(w), _blocks16(bias), strict=True):
        parts += [block.transpose(1, 2, 3, 0).astype(np.int8).view(np.uint8).reshape(-1)]
        parts += [bias_planes(b)]
    return reverse_words(np.concatenate(parts))


def depthwise_weights(w, bias):
    """Four slots a channel, the last three zero: conv blocks of one input channel."""
    c, fy, fx = w.shape
    spread = np.zeros((4 * c, 1, fy, fx), np.int8)
    spread[::4, 0] = w
    spread_bias = np.zeros(4 * c, np.int32)
    spread_bias[::4] = bias
    return conv_weights(spread, spread_bias)


def dense_weights(w, bias):
    """[Cout/16][Cin/16][16 out][16 in] with 16 bytes of sign-extended bias a channel after it."""
    k, c = w.shape
    padded = np.zeros((k, ceil16(c)), np.int8)
    padded[:, :c] = w
    parts = []
    for block, b in zip(_blocks16(padded), _blocks16(bias), strict=True):
        tiles = block.reshape(16, -1, 16).transpose(1, 0, 2)
        wide = np.stack([b, b >> 31, b >> 31, b >> 31], axis=1).astype("<i4")
        parts += [np.ascontiguousarray(tiles).view(np.uint8).reshape(-1)]
        parts += [wide.view(np.uint8).reshape(-1)]
    return reverse_words(np.concatenate(parts))


def requantise(acc, shift, relu):
    """Wrap to 32 bits, floor shift, optional ReLU, saturate."""
    out = acc.astype(np.int64).astype(np.uint32).view(np.int32) >> shift
    if relu:
        out = np.maximum(out, 0)
    return np.clip(out, -128, 127).astype(np.int8)


def windows(x, fy, fx, stride, top, bottom, side):
    padded = np.pad(x.astype(np.int64), ((0, 0), (top, bottom), (side, side)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (fy, fx), axis=(1, 2))
    return view[:, ::stride, ::stride]


def conv(x, w, bias, *, stride=1, top=0, bottom=0, side=0, shift=0, relu=0):
    view = windows(x, w.shape[2], w.shape[3], stride, top, bottom, side)
    acc = np.einsum("chwyx,kcyx->khw", view, w.astype(np.int64)) + bias[:, None, None]
    return requantise(acc, shift, relu)


def depthwise(x, w, bias, *, stride=1, top=0, bottom=0, side=0, shift=0, relu=0):
    view = windows(x, w.shape[1], w.shape[2], stride, top, bottom, side)
    acc = np.einsum("chwyx,cyx->chw", view, w.astype(np.int64)) + bias[:, None, None]
    return requantise(acc, shift, relu)


def dense(x, w, bias, *, shift=0, relu=0):
    return requantise(w.astype(np.int64) @ x.astype(np.int64) + bias, shift, relu)


def add(a, b, *, shift=0):
    return requantise(a.astype(np.int64) + b.astype(np.int64), shift, relu=0)
