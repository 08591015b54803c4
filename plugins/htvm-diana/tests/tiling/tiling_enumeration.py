"""The cheapest schedule by trying everything, in plain loops.

Every tile size, loop order and residency is walked tile by tile and each transfer and job is paid
for as it comes. Shares no code with the tiler but the description of the problem.
"""

from functools import cache
from itertools import product
from math import ceil

UNIT = 32


def up(value, step):
    return (value + step - 1) // step * step


class Walk:
    """Costs of the pieces of a layer."""

    def __init__(self, problem, core):
        self.problem, self.core = problem, core
        self.own = problem.kind == "depthwise" or problem.diagonal
        self.row = cache(self._row)
        self.load = cache(self._load)
        self.store = cache(self._store)
        self.weights = cache(self._weights)

    def transfer(self, chunk, count):
        core = self.core
        moved = ceil(chunk * count / core.dma_bytes_per_cycle)
        return moved + count * core.dma_chunk_cycles + core.step_cycles

    def transfers(self, chunk, count, main_stride, local_stride):
        """One transfer if the strides allow, else one for each chunk."""
        if chunk == main_stride == local_stride:
            return self.transfer(chunk * count, 1)
        if count == 1 or max(main_stride, local_stride) <= self.core.dma_stride_max_bytes:
            return self.transfer(chunk, count)
        return count * self.transfer(chunk, 1)

    def _row(self, y, channels):
        """Cycles of one output row of 16 x 16."""
        p, core = self.problem, self.core
        if core.model == "odimo":
            return channels * p.kernel[0] * p.kernel[1]
        top = y * p.stride - p.pad_top
        inside = sum(0 <= top + i < p.inputs[0].rows for i in range(p.kernel[0]))
        return channels * inside * (p.kernel[1] + 2) + core.row_cycles

    def input_rows(self, y0, y1):
        p = self.problem
        if (y0, y1) == (0, p.output.rows):
            return 0, p.inputs[0].rows
        wanted = {y * p.stride - p.pad_top + i for y in range(y0, y1) for i in range(p.kernel[0])}
        real = sorted(wanted & set(range(p.inputs[0].rows)))
        return real[0], real[-1] + 1

    def column_tile(self, x0, x1):
        """First column computed, input columns [a, b) read, None if there are none."""
        p = self.problem
        if (x0, x1) == (0, p.output.columns):
            return 0, 0, p.inputs[0].columns
        first = x0 - 16 if x0 and p.pad_side else x0
        last = (x1 - 1) * p.stride + p.kernel[1] - 1 - p.pad_side
        end = min(last, p.inputs[0].columns - 1) + 1
        start, pitch = first * p.stride, p.inputs[0].row_pitch_bytes
        if end <= start:
            return None
        beyond = start + up(end - start, UNIT) > pitch
        return first, start - 16 if beyond and start else start, end

    def _load(self, rows, columns, channels):
        """Cycles and L1 bytes of bringing input rows and columns, None if a rule forbids it."""
        p = self.problem
        (r0, r1), (a, b), whole = rows, columns[1:], columns[0] == "whole"
        pitch = p.inputs[0].row_pitch_bytes
        shares = [x.channels for x in p.inputs] if len(p.inputs) > 1 else [channels]
        if not whole and up(b - a, UNIT) != pitch:
            return self._load_pieces(rows, (a, b), shares)
        stride = p.inputs[0].plane_stride_bytes
        spans = (r0, r1) == (0, p.inputs[0].rows) and all(
            x.plane_stride_bytes == stride and stride - x.rows * pitch < UNIT for x in p.inputs
        )
        if spans:
            size = [up((n - 1) * stride + r1 * pitch, UNIT) for n in shares]
            ends = [
                x.offset_bytes + a + (x.channels - n) * stride + s
                for x, n, s in zip(p.inputs, shares, size, strict=True)
            ]
            if any(end > x.size_bytes for end, x in zip(ends, p.inputs, strict=True)):
                return None
            bases = [sum(shares[:index]) * stride for index in range(len(shares))]
            taken = max(base + s for base, s in zip(bases, size, strict=True))
            return sum(self.transfer(s, 1) for s in size), taken
        for top in (r0, r0 - 1):
            chunk = up((r1 - top) * pitch, UNIT)
            fits = all(
                x.offset_bytes + a + (x.channels - 1) * x.plane_stride_bytes + top * pitch + chunk
                <= x.size_bytes
                for x in p.inputs
            )
            if top >= 0 and fits:
                pairs = zip(p.inputs, shares, strict=True)
                cycles = (self.transfers(chunk, n, x.plane_stride_bytes, chunk) for x, n in pairs)
                return sum(cycles), sum(shares) * chunk
        return None

    def _load_pieces(self, rows, columns, shares):
        p = self.problem
        count, chunk, cycles = rows[1] - rows[0], up(columns[1] - columns[0], UNIT), 0
        for x, n in zip(p.inputs, shares, strict=True):
            start = x.offset_bytes + (x.channels - 1) * x.plane_stride_bytes + columns[0]
            if start + (rows[1] - 1) * x.row_pitch_bytes + chunk > x.size_bytes:
                return None
            cycles += self._pieces(chunk, count, n, x.plane_stride_bytes, count * chunk)
        return cycles, sum(shares) * count * chunk

    def _pieces(self, chunk, rows, planes, main_plane, local_plane):
        """Row pieces: a transfer per plane, or per row if that is fewer and reaches."""
        reaches = planes == 1 or max(main_plane, local_plane) <= self.core.dma_stride_max_bytes
        if rows < planes and reaches:
            return rows * self.transfer(chunk, planes)
        return planes * self.transfer(chunk, rows)

    def _store(self, y, x, first, k):
        """Cycles of storing, None if it would overwrite something."""
        out, rows = self.problem.output, y[1] - y[0]
        pitch, outputs = up(x[1] - first, 16), k[1] - k[0]
        plane = rows * pitch
        if x == (0, out.columns) and out.row_pitch_bytes == pitch:
            if rows == out.rows and out.plane_stride_bytes == plane:
                chunk = up(outputs * plane, UNIT)
                free = chunk == outputs * plane or k[1] == out.channels
                fits = out.offset_bytes + k[0] * plane + chunk <= out.size_bytes
                return self.transfer(chunk, 1) if free and fits else None
            chunk = up(plane, UNIT)
            ends = out.offset_bytes + (out.channels - 1) * out.plane_stride_bytes
            ends += y[0] * pitch + chunk
            room = y[0] * pitch + chunk <= out.plane_stride_bytes and y[1] == out.rows
            if chunk > plane and not (room and ends <= out.size_bytes):
                return None
            return self.transfers(chunk, outputs, out.plane_stride_bytes, plane)
        chunk = up(up(x[1] - x[0], 16), UNIT)
        room = x[1] == out.columns and x[0] + chunk <= out.row_pitch_bytes
        if chunk > up(x[1] - x[0], 16) and not room:
            return None
        return self._pieces(chunk, rows, outputs, out.plane_stride_bytes, plane)

    def block(self, index):
        p = self.problem
        if p.kind == "depthwise":
            return 1
        return min(16, p.c - 16 * index) if p.diagonal else p.c

    def _weights(self, k):
        """Bytes of the weights of output channels."""
        p = self.problem
        size = 4 if p.kind == "depthwise" else 16
        taps = p.kernel[0] * p.kernel[1] * 16
        return sum(self.block(b) * taps + 64 for b in range(k[0] // size, ceil(k[1] / size)))

    def jobs(self, y, groups, k):
        p, core = self.problem, self.core
        if p.diagonal:
            parts = [(self.block(b), 1) for b in range(k[0] // 16, ceil(k[1] / 16))]
        elif p.kind == "depthwise":
            parts = [(1, ceil((k[1] - k[0]) / core.depthwise_channels_per_launch))]
        else:
            parts = [(p.c, ceil((k[1] - k[0]) / 16))]
        cycles = 0
        for channels, times in parts:
            cycles += times * groups * sum(self.row(row, channels) for row in range(*y))
        return cycles + len(parts) * core.step_cycles


def cut(total, size):
    return [(start, min(start + size, total)) for start in range(0, total, size)]


def cheapest(problem, core):
    """Fewest cycles of any schedule, None if there is none."""
    if problem.kind == "dense":
        return cheapest_dense(problem, core)
    return cheapest_sum(problem, core) if problem.kind == "sum" else cheapest_conv(problem, core)


def cheapest_conv(problem, core, sizes=None):
    """Fewest cycles of any schedule of a convolution, None if there is none.

    Args:
        sizes: Columns, rows and channels of a tile to try; all if None.
    """
    walk, best = Walk(problem, core), None
    step, out = 4 if problem.kind == "depthwise" else 16, problem.output
    if sizes is None:
        widths = [out.columns, *range(UNIT, out.columns, UNIT)]
        channels = range(step, up(problem.k, step) + 1, step)
        sizes = product(widths, range(1, out.rows + 1), channels)
    for width, rows, channels in sizes:
        columns = [walk.column_tile(*x) for x in cut(out.columns, width)]
        if None in columns:
            continue
        for policy in product((False, True), repeat=4):
            cycles = walk_schedule(walk, (channels, rows, width), columns, policy, best)
            if cycles is not None:
                best = cycles
    return best


def walk_schedule(walk, size, columns, policy, best):
    """Cycles of one schedule if it is legal and cheaper than ``best``."""
    problem, core = walk.problem, walk.core
    outer, whole, stay, kept = policy
    ks, ys = cut(problem.k, size[0]), cut(problem.output.rows, size[1])
    xs = list(zip(cut(problem.output.columns, size[2]), columns, strict=True))
    if outer and kept:
        return None
    spatial = list(product(ys, xs))
    order = [(s, k) for k in ks for s in spatial] if outer else list(product(spatial, ks))
    at_once = walk.load(
        (0, problem.inputs[0].rows), ("whole", 0, problem.inputs[0].columns), problem.c
    )
    cycles, l1_in, l1_out, weight_memory = 0, 0, 0, 0
    held_input = held_weights = None
    for (y, (x, (first, a, b))), k in order:
        is_whole = "whole" if x == (0, problem.output.columns) else "part"
        channels = k[1] - k[0] if walk.own else problem.c
        wanted = "all" if whole else (y, x, k if walk.own else None)
        brought = at_once if whole else walk.load(walk.input_rows(*y), (is_whole, a, b), channels)
        if brought is None:
            return None
        if wanted != held_input:
            cycles += brought[0]
        l1_in = max(l1_in, brought[1])
        weights = (0, problem.k) if stay else k
        weight_memory = max(weight_memory, walk.weights(weights))
        if weights != held_weights:
            cycles += walk.transfer(walk.weights(weights), 1)
        held_input, held_weights = wanted, weights
        groups = ceil((x[1] - first) / 16)
        cycles += walk.jobs(y, groups, k)
        made = problem.k if kept else k[1] - k[0]
        planes = made + 15 if problem.kind == "depthwise" else up(made, 16)
        l1_out = max(l1_out, planes * (y[1] - y[0]) * groups * 16)
        if not kept or k[1] == problem.k:
            stored = walk.store(y, x, first, (0, problem.k) if kept else k)
            if stored is None:
                return None
            cycles += stored
        if l1_in + l1_out > core.l1_bytes or weight_memory > core.weight_bytes:
            return None
        if best is not None and cycles >= best:
            return None
    return cycles


def cheapest_dense(problem, core, sizes=None):
    """Fewest cycles of any schedule of a dense layer, None if there is none.

    Args:
        sizes: Outputs of a tile to try; all if None.
    """
    walk, found = Walk(problem, core), []
    inputs = up(problem.c, UNIT)
    block = up(problem.c, 16) * 16 + 256
    steps = up(problem.c, 16)
    row = steps if core.model == "odimo" else 3 * steps + core.row_cycles
    room = problem.output.size_bytes - problem.output.offset_bytes
    if problem.inputs[0].offset_bytes + inputs > problem.inputs[0].size_bytes:
        return None
    sizes = range(16, up(problem.k, 16) + 1, 16) if sizes is None else sizes
    for size, kept in product(sizes, (False, True)):
        spans = cut(problem.k, size)
        blocks = [ceil((end - start) / 16) for start, end in spans]
        stores = [(0, problem.k)] if kept else spans
        held = up(problem.k if kept else min(size, problem.k), 16)
        ends = [(start + up(end - start, UNIT), end) for start, end in stores]
        ragged = any(rounded > end for rounded, end in ends[:-1])
        fits = blocks[0] * block <= core.weight_bytes and inputs + held <= core.l1_bytes
        if not fits or ragged or ends[-1][0] > room:
            continue
        cycles = walk.transfer(inputs, 1) + sum(walk.transfer(n * block, 1) for n in blocks)
        cycles += sum(n * row + core.step_cycles for n in blocks)
        found.append(cycles + sum(walk.transfer(up(b - a, UNIT), 1) for a, b in stores))
    return min(found, default=None)


def cheapest_sum(problem, core, sizes=None):
    """Fewest cycles of any schedule of a sum, None if there is none.

    Args:
        sizes: Bytes of a tile to try; all if None.
    """
    walk, found = Walk(problem, core), []
    group = 1 if core.model == "odimo" else 3 + core.row_cycles
    moved = up(problem.k, UNIT)
    buffers = (*problem.inputs, problem.output)
    if any(x.offset_bytes + moved > x.size_bytes for x in buffers):
        return None
    for size in range(UNIT, moved + 1, UNIT) if sizes is None else sizes:
        if 3 * size > core.l1_bytes:
            continue
        lengths = [end - start for start, end in cut(moved, size)]
        jobs = sum(ceil(n / 256) * group + core.step_cycles for n in lengths)
        found.append(jobs + 3 * sum(walk.transfer(n, 1) for n in lengths))
    return min(found, default=None)
