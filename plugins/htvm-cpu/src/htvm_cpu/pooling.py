"""Pools and spatial sums."""

from __future__ import annotations

from dataclasses import dataclass

from htvm.api import Cost, DType, InternalError, Layer, Layout, Offers, Tensor, Tiling, ops
from htvm_cpu import cycles
from htvm_cpu.host import Host
from htvm_cpu.kernel import UNPRICED, Generated, Kernel, finish, generated, tail_nodes
from htvm_cpu.packed_sum import PackedRows, packed_rows, sum_lines
from htvm_cpu.place import choices, element, fill_lines, loose, nest
from htvm_cpu.snippet import Value, Writer, fits_int32, loaded
from htvm_cpu.text import Lines, block, integer, loop, plus, real

_SIDE_BY_SIDE = "all channels at once"


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A pool, whatever op it came from.

    Attributes:
        kind: ``"max"``, ``"sum"`` or ``"average"``.
        kernel: Height and width of the window.
        stride: Rows and columns between windows.
        pad: Top, left, bottom, right.
        zero_point: Subtracted from each element of a sum.
        lo: Least value of an average.
        hi: Greatest value of an average.
    """

    kind: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int, int, int]
    zero_point: int = 0
    lo: int = 0
    hi: int = 0


def pool_of(layer: Layer) -> Pool:
    """The pool a layer starts with."""
    op = layer.nodes[0].op
    match op:
        case ops.MaxPool2d():
            return Pool(kind="max", kernel=op.kernel, stride=op.stride, pad=op.pad)
        case ops.SumPool2d():
            return Pool(
                kind="sum",
                kernel=op.kernel,
                stride=op.stride,
                pad=op.pad,
                zero_point=op.input_zero_point,
            )
        case ops.AvgPool2d():
            return Pool(
                kind="average",
                kernel=op.kernel,
                stride=op.stride,
                pad=op.pad,
                lo=op.lo,
                hi=op.hi,
            )
    raise InternalError(f"{type(op).__name__} is no pool")


def _image(layer: Layer) -> tuple[int, int, int, int]:
    _, channels, height, width = layer.inputs[0].shape
    return 1, channels, height, width


def _result(layer: Layer) -> Tensor:
    """The tensor the pool itself computes."""
    return layer.tensors[layer.nodes[0].output]


def tilings(layer: Layer, offers: Offers, host: Host) -> tuple[Tiling, ...]:
    """Any layouts; channels side by side are summed side by side."""
    reads = choices(offers.inputs[0], layer.inputs[0].shape, read=True, usable=_is_image)
    writes = choices(offers.output, layer.output.shape, read=False, usable=_is_image)
    return tuple(
        Tiling(
            inputs=(read,),
            output=write,
            cost=UNPRICED,
            summary=_SIDE_BY_SIDE if _side_by_side(layer, read, host) else "window by window",
            scratch_bytes=4 * _image(layer)[1] if _side_by_side(layer, read, host) else 0,
        )
        for read in dict.fromkeys(loose(layout) for layout in reads)
        for write in writes
    )


def _is_image(layout: Layout) -> bool:
    return len(layout.axes) == 4


def _side_by_side(layer: Layer, layout: Layout, host: Host) -> bool:
    """Whether the channels of a pixel should be summed at once, for a vectoriser's sake."""
    if host.is_scalar:
        return False
    channel = layout.axes[1]
    plain = channel.stride == 1 and channel.block == 1 and layout.word_bytes == 1
    return plain and _image(layer)[1] > 1 and layer.inputs[0].dtype is not DType.FLOAT32


def _packed(layer: Layer, layout: Layout, host: Host) -> PackedRows | None:
    """Rows to sum word by word, on cores that gain from it."""
    pool = pool_of(layer)
    source = layer.inputs[0]
    if not host.is_scalar or pool.kind == "max" or source.dtype is DType.FLOAT32:
        return None
    return packed_rows(layout, source.dtype, source.shape, pool.kernel, pool.pad)


def cost(layer: Layer, tiling: Tiling, host: Host) -> Cost:
    """An addition or comparison per element of each window, then the result."""
    pool = pool_of(layer)
    _, channels, height, width = _result(layer).shape
    outputs = channels * height * width
    visit = cycles.POOL_ELEMENT[pool.kind] + cycles.address(tiling.inputs[0])
    packed = _packed(layer, tiling.inputs[0], host)
    plain = pool.kernel[0] * (cycles.POOL_ROW + pool.kernel[1] * visit)
    window = plain if packed is None else packed.cycles
    each = cycles.pointwise(tail_nodes(layer), host) + cycles.POOL_RESULT[pool.kind]
    return cycles.priced(outputs * (window + each + cycles.address(tiling.output)))


def generate(layer: Layer, tiling: Tiling, host: Host) -> Generated:
    """Loops over windows, channels innermost where they lie side by side."""
    pool = pool_of(layer)
    writer = Writer(host=host)
    side_by_side = _side_by_side(layer, tiling.inputs[0], host)
    body = _channels_at_once if side_by_side else _window_by_window
    lines = fill_lines(tiling.output, layer.output.shape, "out")
    lines += body(layer, tiling, pool, writer)
    size = cycles.code_bytes(layer.nodes, host)
    return generated(lines, writer, size_bytes=size)


def _channels_at_once(
    layer: Layer,
    tiling: Tiling,
    pool: Pool,
    writer: Writer,
) -> Lines:
    _, channels, height, width = _result(layer).shape
    place = element(tiling.inputs[0], ("0", "0", "iy", "ix"))
    take = [
        f"const {layer.inputs[0].dtype.c_name} *line = in0 + {place};",
        *loop("c", channels, [_accumulate(layer, pool, "sums[c]", "line[c]")]),
    ]
    pixel = [
        *loop("c", channels, [f"sums[c] = {_start(layer, pool)};"]),
        *_window(layer, pool, take),
        *loop("c", channels, _store(layer, tiling, pool, "sums[c]", writer)),
    ]
    nested = nest((height, width), (0, 1), ("oy", "ox"), pixel)
    fixed = [
        f"const int32_t {name} = 0;"
        for name, extent in (("oy", height), ("ox", width))
        if extent == 1
    ]
    return ["int32_t *const restrict sums = (int32_t *)(void *)scratch;", *fixed, *nested]


def _window_by_window(
    layer: Layer,
    tiling: Tiling,
    pool: Pool,
    writer: Writer,
) -> Lines:
    _, channels, height, width = _result(layer).shape
    kind = "float" if layer.inputs[0].dtype is DType.FLOAT32 else "int32_t"
    place = element(tiling.inputs[0], ("0", "c", "iy", "ix"))
    packed = _packed(layer, tiling.inputs[0], writer.host)
    if packed is None:
        window = _window(layer, pool, [_accumulate(layer, pool, "sum", f"in0[{place}]")])
    else:
        window = _packed_window(layer, pool, packed)
    pixel = [
        f"{kind} sum = {_start(layer, pool)};",
        *window,
        *_store(layer, tiling, pool, "sum", writer),
    ]
    extents = (channels, height, width)
    names = ("c", "oy", "ox")
    fixed = [
        f"const int32_t {name} = 0;"
        for name, extent in zip(names, extents, strict=True)
        if extent == 1
    ]
    return [*fixed, *nest(extents, (0, 1, 2), names, pixel)]


def _packed_window(layer: Layer, pool: Pool, packed: PackedRows) -> Lines:
    """The sum of a window of whole rows."""
    first, last = ("y0", "y1") if packed.axis == 3 else ("x0", "x1")
    offset = pool.zero_point * packed.rows * packed.extent
    lines = [
        *_range(layer, pool, 0),
        *_range(layer, pool, 1),
        *sum_lines(packed, first, last),
    ]
    return [*lines, f"sum -= {integer(offset)};"] if offset else lines


def _start(layer: Layer, pool: Pool) -> str:
    dtype = layer.inputs[0].dtype
    if pool.kind != "max":
        return real(0.0) if dtype is DType.FLOAT32 else "0"
    return real(float("-inf")) if dtype is DType.FLOAT32 else integer(dtype.bounds[0])


def _accumulate(layer: Layer, pool: Pool, total: str, value: str) -> str:
    del layer
    if pool.kind == "max":
        return f"{total} = {value} > {total} ? {value} : {total};"
    return f"{total} += {plus(value, -pool.zero_point)};"


def _window(layer: Layer, pool: Pool, body: Lines) -> Lines:
    """Loops over the part of a window that lies inside the image."""
    lines = _range(layer, pool, 0) + _range(layer, pool, 1)
    inner = block("for (int32_t ix = x0; ix < x1; ix++)", body)
    return [*lines, *block("for (int32_t iy = y0; iy < y1; iy++)", inner)]


def _range(layer: Layer, pool: Pool, number: int) -> Lines:
    """First and last position of a window along the height (0) or the width (1)."""
    axis, index = (("y", "oy"), ("x", "ox"))[number]
    before, after = pool.pad[number], pool.pad[number + 2]
    kernel, stride, extent = pool.kernel[number], pool.stride[number], _image(layer)[number + 2]
    start = plus(index if stride == 1 else f"{index} * {stride}", -before)
    end = f"{start} + {kernel}"
    low = f"{start} > 0 ? {start} : 0" if before else start
    high = f"{end} < {extent} ? {end} : {extent}" if after else end
    return [f"const int32_t {axis}0 = {low};", f"const int32_t {axis}1 = {high};"]


def _store(
    layer: Layer,
    tiling: Tiling,
    pool: Pool,
    total: str,
    writer: Writer,
) -> Lines:
    value = _value(layer, pool, total, writer)
    indices = ("0", "c", "oy", "ox")
    result = finish(layer, value, indices, writer)
    place = element(tiling.output, indices)
    return [*writer.body, f"out[{place}] = ({layer.output.dtype.c_name}){result.text};"]


def _value(layer: Layer, pool: Pool, total: str, writer: Writer) -> Value:
    dtype = layer.inputs[0].dtype
    if pool.kind == "max" or dtype is DType.FLOAT32:
        like = loaded("", dtype)
        text = writer.let(total, is_float=like.is_float)
        return Value(text=text, is_float=like.is_float, lo=like.lo, hi=like.hi)
    if pool.kind == "average":
        return _average(pool, total, writer)
    area = pool.kernel[0] * pool.kernel[1]
    lo, hi = (area * (end - pool.zero_point) for end in dtype.bounds)
    lo, hi = min(lo, 0), max(hi, 0)
    text = writer.let(total)
    return Value(text=text, lo=lo, hi=hi) if fits_int32(lo, hi) else Value(text=text)


def _average(pool: Pool, total: str, writer: Writer) -> Value:
    """Rounded half away from zero by the count of elements inside the image."""
    count = "((y1 - y0) * (x1 - x0))" if any(pool.pad) else str(pool.kernel[0] * pool.kernel[1])
    half = f"{count} / 2" if any(pool.pad) else str(pool.kernel[0] * pool.kernel[1] // 2)
    mean = writer.let(f"({total} > 0 ? {total} + {half} : {total} - {half}) / {count}")
    low = writer.let(f"{mean} > {pool.lo} ? {mean} : {pool.lo}")
    text = writer.let(f"{low} < {pool.hi} ? {low} : {pool.hi}")
    return Value(text=text, lo=pool.lo, hi=pool.hi)


KERNEL = Kernel(tilings=tilings, cost=cost, generate=generate)
