"""The three softmax definitions. All look their exponentials up in a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htvm.api import Constant, Cost, DType, InternalError, Layer, Offers, Tiling, ops, row_major
from htvm_cpu import cycles, fixed_point, helpers
from htvm_cpu.host import Host
from htvm_cpu.kernel import UNPRICED, Generated, Kernel, finish, generated
from htvm_cpu.place import element, fill_lines, home, index_names, loose, nest
from htvm_cpu.snippet import Value, Writer
from htvm_cpu.text import Lines, integer, loop, real


@dataclass(frozen=True, kw_only=True)
class Form:
    """One definition, spelled in C.

    Attributes:
        axis: The axis the probabilities add up along.
        table: Exponential of ``max - x`` for each difference, zero beyond its end.
        dtype: Type of the table.
        total: Type of the sum.
        term: What is added for table entry ``e``.
        prepare: Statements between the sum and the results.
        result: The result from table entry ``e``.
    """

    axis: int
    table: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
    dtype: DType
    total: str
    term: str
    prepare: tuple[str, ...]
    result: Value


def _form(layer: Layer, writer: Writer) -> Form:
    op = layer.nodes[0].op
    rank = len(layer.inputs[0].shape)
    match op:
        case ops.SoftmaxTflite():
            return _tflite(op, rank, writer)
        case ops.SoftmaxTable():
            return Form(
                axis=op.axis % rank,
                table=op.table,
                dtype=DType.FLOAT32,
                total="float",
                term="e",
                prepare=(),
                result=Value(text="(e / sum)", is_float=True, lo=0.0, hi=1.0),
            )
        case ops.QLinearSoftmax():
            return _qlinear(op, layer, rank, writer)
    raise InternalError(f"{type(op).__name__} is no softmax")


def _tflite(op: ops.SoftmaxTflite, rank: int, writer: Writer) -> Form:
    writer.needs(helpers.CLIP, fixed_point.RECIPROCAL)
    table = fixed_point.exponentials(op.mul, op.left_shift, op.diff_min)
    probability = "htvm_shift_right(htvm_high_multiply(e, scale), places)"
    return Form(
        axis=rank - 1,
        table=table,
        dtype=DType.INT32,
        total="int32_t",
        term="htvm_shift_right(e, 12)",
        prepare=("int32_t places;", "const int32_t scale = htvm_reciprocal(sum, &places);"),
        result=Value(text=f"htvm_clip({probability} - 128, -128, 127)", lo=-128, hi=127),
    )


def _qlinear(op: ops.QLinearSoftmax, layer: Layer, rank: int, writer: Writer) -> Form:
    writer.needs(helpers.ROUND)
    lo, hi = layer.inputs[0].dtype.bounds
    low, high = real(lo - op.zero_point), real(hi - op.zero_point)
    text = f"(htvm_round(e * {real(op.scale)} / sum, {low}, {high}) + {integer(op.zero_point)})"
    return Form(
        axis=op.axis % rank,
        table=op.table[::-1].copy(),
        dtype=DType.FLOAT32,
        total="float",
        term="e",
        prepare=(),
        result=Value(text=text, lo=lo, hi=hi),
    )


def tilings(layer: Layer, offers: Offers, host: Host) -> tuple[Tiling, ...]:
    """Any layouts."""
    del host
    shape = layer.inputs[0].shape
    reads = dict.fromkeys(
        (home(shape), row_major(shape), *(loose(layout) for layout in offers.inputs[0]))
    )
    writes = dict.fromkeys((home(shape), row_major(shape), *offers.output))
    return tuple(
        Tiling(inputs=(read,), output=write, cost=UNPRICED, summary="row by row")
        for read in reads
        for write in writes
    )


def cost(layer: Layer, tiling: Tiling, host: Host) -> Cost:
    """Three passes over each row."""
    rows = layer.output.elements // max(1, layer.output.shape[_form(layer, Writer(host=host)).axis])
    kind = layer.nodes[0].op.kind
    each = cycles.SOFTMAX_ELEMENT[kind] + cycles.pointwise(layer.nodes[1:], host)
    return cycles.priced(layer.output.elements * each + rows * cycles.SOFTMAX_ROW[kind])


def generate(layer: Layer, tiling: Tiling, host: Host) -> Generated:
    """Greatest element, sum of exponentials, results: in a loop over the rows."""
    writer = Writer(host=host)
    shape = layer.inputs[0].shape
    form = _form(layer, writer)
    names = list(index_names(shape))
    names[form.axis] = "i"
    table = Constant(
        name="exponentials", dtype=form.dtype, data=form.table.astype(form.dtype.numpy)
    )
    store = _store(layer, tiling, form, tuple(names), writer)
    row = _row(layer, tiling, form, tuple(names), store)
    others = [axis for axis in range(len(shape)) if axis != form.axis]
    lines = fill_lines(tiling.output, layer.output.shape, "out")
    lines += nest(shape, others, names, row)
    size = cycles.code_bytes(layer.nodes, host)
    return generated(lines, writer, constants=(table,), size_bytes=size)


def _row(layer: Layer, tiling: Tiling, form: Form, names: tuple[str, ...], store: Lines) -> Lines:
    extent = layer.inputs[0].shape[form.axis]
    value = f"in0[{element(tiling.inputs[0], names)}]"
    entry = _entry(form, value)
    zero = "0.0f" if form.total == "float" else "0"
    return [
        f"int32_t greatest = {integer(layer.inputs[0].dtype.bounds[0])};",
        f"{form.total} sum = {zero};",
        *loop("i", extent, [f"greatest = {value} > greatest ? {value} : greatest;"]),
        *loop("i", extent, [*entry, f"sum += {form.term};"]),
        *form.prepare,
        *loop("i", extent, [*entry, *store]),
    ]


def _entry(form: Form, value: str) -> Lines:
    kind = form.dtype.c_name
    if form.table.size > 255:
        return [f"const {kind} e = exponentials[greatest - {value}];"]
    below = f"const int32_t below = greatest - {value};"
    return [below, f"const {kind} e = below < {form.table.size} ? exponentials[below] : 0;"]


def _store(
    layer: Layer,
    tiling: Tiling,
    form: Form,
    names: tuple[str, ...],
    writer: Writer,
) -> Lines:
    text = writer.let(form.result.text, is_float=form.result.is_float)
    value = Value(text=text, is_float=form.result.is_float, lo=form.result.lo, hi=form.result.hi)
    result = finish(layer, value, names, writer)
    place = element(tiling.output, names)
    return [*writer.body, f"out[{place}] = ({layer.output.dtype.c_name}){result.text};"]


KERNEL = Kernel(tilings=tilings, cost=cost, generate=generate)
