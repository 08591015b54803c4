"""Runs a schedule move by move and job by job, in numpy, and complains about every broken rule.

Written from the rules of the core, not from the tiler. Bytes are kept in the core's order.
"""

import numpy as np


def ceil16(value):
    return -(-value // 16) * 16


def saturate(acc, shift):
    return np.clip(acc >> shift, -128, 127).astype(np.int8)


def data_bytes(planes):
    """Addresses of the elements of an operand, shape (channels, rows, columns)."""
    channel, row, column = np.ix_(*map(range, (planes.channels, planes.rows, planes.columns)))
    address = channel * planes.plane_stride_bytes + row * planes.row_pitch_bytes + column
    return planes.offset_bytes + address


def pack_conv(weights, bias, *, diagonal=False):
    """Blocks of 16 output channels, each followed by 64 bytes of bias."""
    parts = []
    for start in range(0, len(weights), 16):
        block = weights[start : start + 16]
        block = block[:, start : start + 16] if diagonal else block
        full = np.zeros((16, *block.shape[1:]), np.int8)
        full[: len(block)] = block
        parts += [full.transpose(1, 2, 3, 0).reshape(-1), bias_planes(bias[start : start + 16])]
    return np.concatenate(parts)


def pack_depthwise(weights, bias):
    """Four channels a block, in slots 0, 4, 8 and 12."""
    c, fy, fx = weights.shape
    spread = np.zeros((4 * c, 1, fy, fx), np.int8)
    spread[::4, 0] = weights
    spread_bias = np.zeros(4 * c, np.int32)
    spread_bias[::4] = bias
    return pack_conv(spread, spread_bias)


def pack_dense(weights, bias):
    k, c = weights.shape
    parts = []
    for start in range(0, k, 16):
        block = np.zeros((16, ceil16(c)), np.int8)
        block[: min(16, k - start), :c] = weights[start : start + 16]
        wide = np.zeros((16, 16), np.int8)
        wide[: min(16, k - start), :4] = bias[start : start + 16, None].astype("<i4").view(np.int8)
        parts += [block.reshape(16, -1, 16).transpose(1, 0, 2).reshape(-1), wide.reshape(-1)]
    return np.concatenate(parts)


def bias_planes(bias):
    full = np.zeros(16, "<i4")
    full[: len(bias)] = bias
    return full.view(np.int8).reshape(16, 4).T.reshape(-1)


def unpack_conv(block, inputs, fy, fx):
    """Weights (16, inputs, fy, fx) and bias (16,) of one block."""
    size = inputs * fy * fx * 16
    weights = block[:size].reshape(inputs, fy, fx, 16).transpose(3, 0, 1, 2)
    planes = block[size : size + 64].reshape(4, 16).T
    return weights, np.ascontiguousarray(planes).view("<i4").reshape(16)


class Machine:
    """L1 and weight memory, with a flag for each byte that says whether it holds something."""

    def __init__(self, core, choice, inputs, weights, shift):
        self.core, self.choice, self.shift = core, choice, shift
        self.rng = np.random.default_rng(0)
        problem = choice.problem
        self.main = [self._buffer(p, x) for p, x in zip(problem.inputs, inputs, strict=True)]
        self.packed = weights
        self.out = self.rng.integers(-128, 128, problem.output.size_bytes).astype(np.int8)
        self.before = self.out.copy()
        self.writes = np.zeros(self.out.size, int)
        self.l1 = self.rng.integers(-128, 128, core.l1_bytes).astype(np.int8)
        self.l1_known = np.zeros(core.l1_bytes, bool)
        self.weight_memory = np.zeros(core.weight_bytes, np.int8)
        self.weights_known = np.zeros(core.weight_bytes, bool)

    def _buffer(self, planes, x):
        data = self.rng.integers(-128, 128, planes.size_bytes).astype(np.int8)
        data[data_bytes(planes)] = x
        return data

    def run(self):
        for tile in self.choice.tiles:
            for move in tile.loads:
                self._load(move)
            for job in tile.jobs:
                getattr(self, f"_{job.kind}")(job)
            for move in tile.stores:
                self._store(move)
        return self.out[data_bytes(self.choice.problem.output)]

    def _chunks(self, move, main_size, local_size):
        assert move.count >= 1
        assert move.chunk_bytes > 0
        if move.count > 1:
            assert max(move.main_stride_bytes, move.local_stride_bytes) < 65_536
            assert move.main_stride_bytes % 4 == move.local_stride_bytes % 16 == 0
        for index in range(move.count):
            main = move.main_bytes + index * move.main_stride_bytes
            local = move.local_bytes + index * move.local_stride_bytes
            assert main % 4 == local % 16 == 0
            assert 0 <= main <= main_size - move.chunk_bytes
            assert 0 <= local <= local_size - move.chunk_bytes
            yield slice(main, main + move.chunk_bytes), slice(local, local + move.chunk_bytes)

    def _load(self, move):
        if move.kind == "weights":
            assert move.chunk_bytes % 16 == 0
            for main, local in self._chunks(move, self.packed.size, self.core.weight_bytes):
                self.weight_memory[local] = self.packed[main]
                self.weights_known[local] = True
            return
        assert move.chunk_bytes % 32 == 0
        source = self.main[move.operand]
        for main, local in self._chunks(move, source.size, self.core.l1_bytes):
            self.l1[local] = source[main]
            self.l1_known[local] = True

    def _store(self, move):
        assert move.chunk_bytes % 32 == 0
        for main, local in self._chunks(move, self.out.size, self.core.l1_bytes):
            assert self.l1_known[local].all()
            self.out[main] = self.l1[local]
            self.writes[main] += 1

    def _write(self, job, values):
        """Values, and garbage in the rest of what the job writes."""
        area = slice(job.output, job.output + job.output_bytes)
        assert job.output % 16 == 0
        assert area.stop <= self.core.l1_bytes
        assert values.size == job.output_bytes
        self.l1[area] = values.reshape(-1)
        self.l1_known[area] = True

    def _input(self, job):
        channel, row, column = np.ix_(range(job.c), range(job.cy), range(job.cx))
        address = job.input + channel * job.channel_size + row * job.cx_pitch + column
        assert job.input % 16 == job.channel_size % 16 == job.cx_pitch % 16 == 0
        assert job.cx <= job.cx_pitch
        assert self.l1_known[address].all()
        used = (job.output, job.output + job.output_bytes)
        assert address.max() < used[0] or address.min() >= used[1]
        assert (job.oy - 1) * job.stride + job.fy <= job.pad_top + job.cy + job.pad_bottom
        assert (job.ox - 1) * job.stride + job.fx <= 2 * job.pad_side + job.cx
        pads = ((0, 0), (job.pad_top, job.pad_bottom), (job.pad_side, job.pad_side))
        return np.pad(self.l1[address].astype(np.int64), pads)

    def _weights(self, job, start, size):
        area = slice(job.weights + start, job.weights + start + size)
        assert job.weights % 16 == 0
        assert start + size <= job.weight_bytes
        assert self.weights_known[area].all()
        return self.weight_memory[area]

    def _results(self, job, planes):
        return self.rng.integers(-128, 128, (planes, job.oy, ceil16(job.ox))).astype(np.int8)

    def _conv2d(self, job):
        x = self._input(job)
        values = self._results(job, ceil16(job.k))
        block = job.c * job.fy * job.fx * 16 + 64
        for start in range(0, job.k, 16):
            packed = self._weights(job, start // 16 * block, block)
            weights, bias = unpack_conv(packed, job.c, job.fy, job.fx)
            count = min(16, job.k - start)
            result = convolve(x, weights[:count], bias[:count], job.stride)
            values[start : start + count, :, : job.ox] = saturate(
                result[:, : job.oy, : job.ox], self.shift
            )
        self._write(job, values)

    def _depthwise(self, job):
        assert job.c == job.k
        x = self._input(job)
        values = self._results(job, job.k + 15)
        block = job.fy * job.fx * 16 + 64
        for channel in range(job.k):
            packed = self._weights(job, channel // 4 * block, block)
            weights, bias = unpack_conv(packed, 1, job.fy, job.fx)
            slot = 4 * (channel % 4)
            result = convolve(
                x[channel : channel + 1],
                weights[slot : slot + 1],
                bias[slot : slot + 1],
                job.stride,
            )
            values[channel, :, : job.ox] = saturate(result[0, : job.oy, : job.ox], self.shift)
        self._write(job, values)

    def _dense(self, job):
        area = slice(job.input, job.input + ceil16(job.c))
        assert self.l1_known[area].all()
        values = self.rng.integers(-128, 128, ceil16(job.k)).astype(np.int8)
        x = self.l1[area].astype(np.int64)
        block = 16 * ceil16(job.c) + 256
        for start in range(0, job.k, 16):
            packed = self._weights(job, start // 16 * block, block)
            weights = packed[:-256].reshape(-1, 16, 16).transpose(1, 0, 2).reshape(16, -1)
            bias = np.ascontiguousarray(packed[-256:].reshape(16, 16)[:, :4]).view("<i4")[:, 0]
            values[start : start + 16] = saturate(weights.astype(np.int64) @ x + bias, self.shift)
        self._write(job, values)

    def _sum(self, job):
        assert job.c % 16 == 0
        areas = [slice(start, start + job.c) for start in (job.input, job.input2)]
        assert all(self.l1_known[area].all() for area in areas)
        total = sum(self.l1[area].astype(np.int64) for area in areas)
        self._write(job, saturate(total, self.shift))


def convolve(x, weights, bias, stride):
    """Convolution of an already padded input; shapes (c, y, x) and (k, c, fy, fx)."""
    view = np.lib.stride_tricks.sliding_window_view(x, weights.shape[2:], axis=(1, 2))
    view = view[:, ::stride, ::stride]
    return np.einsum("cyxij,kcij->kyx", view, weights.astype(np.int64)) + bias[:, None, None]
