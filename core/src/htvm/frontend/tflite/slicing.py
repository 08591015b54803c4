"""Ops that take parts of a tensor."""

from __future__ import annotations

from htvm.frontend.tflite.call import Call
from htvm.frontend.tflite.scope import Form
from htvm.ir.ops import Reshape, Slice


def slice_(call: Call) -> None:
    """SLICE: a start and a size for every axis; size -1 means all the rest."""
    shape = call.shape(0)
    begin, size = call.integers(1), call.integers(2)
    if not len(begin) == len(size) == len(shape):
        raise call.refuse(f"start {begin}, size {size}", f"{len(shape)} numbers each")
    stop = [
        extent if count == -1 else start + count
        for start, count, extent in zip(begin, size, shape, strict=True)
    ]
    form = call.form(0)
    _take(call, begin, stop, [1] * len(shape), form)


def split(call: Call) -> None:
    """SPLIT into equal parts, one result each; the axis is the first operand."""
    shape = call.shape(1)
    axes = call.integers(0)
    count = len(call.operator.outputs)
    if len(axes) != 1 or count != call.operator.flag("NumSplits"):
        raise call.refuse(f"axes {axes}, {count} results", "one axis, a result for every part")
    axis = call.axis(axes[0], len(shape), "plain")
    if shape[axis] % count:
        raise call.refuse(f"extent {shape[axis]} in {count} parts", "equal parts")
    part = shape[axis] // count
    form = call.form(1)
    for number in range(count):
        start, stop = [0] * len(shape), list(shape)
        start[axis], stop[axis] = number * part, (number + 1) * part
        _take(call, start, stop, [1] * len(shape), form, operand=1, output=number)


def strided_slice(call: Call) -> None:
    """STRIDED_SLICE with positive steps, numpy's rules for negative positions, and its masks."""
    shape = call.shape(0)
    begin, end, step = (call.integers(number) for number in (1, 2, 3))
    for mask in ("EllipsisMask", "NewAxisMask", "Offset"):
        if call.operator.flag(mask):
            raise call.refuse(mask, "begin, end and shrink masks")
    if not len(begin) == len(end) == len(step) <= len(shape) or min(step, default=1) < 1:
        raise call.refuse(f"begin {begin}, end {end}, steps {step}", "positive steps for each axis")
    missing = len(shape) - len(begin)
    shrink = call.operator.flag("ShrinkAxisMask")
    start, stop = [0] * len(shape), list(shape)
    for axis in range(len(begin)):
        start[axis], stop[axis] = _bounds(call, begin, end, axis)
    form: Form = "plain" if shrink else call.form(0)
    _take(call, start, stop, [*step, *[1] * missing], form, shrink=shrink)


def _bounds(call: Call, begin: list[int], end: list[int], axis: int) -> tuple[int, int]:
    extent = call.shape(0)[axis]
    if call.operator.flag("ShrinkAxisMask") >> axis & 1:
        if not -extent <= begin[axis] < extent:
            raise call.refuse(f"position {begin[axis]} of {extent}", "a position inside the axis")
        return begin[axis] % extent, begin[axis] % extent + 1
    first = None if call.operator.flag("BeginMask") >> axis & 1 else begin[axis]
    last = None if call.operator.flag("EndMask") >> axis & 1 else end[axis]
    start, stop, _ = slice(first, last, 1).indices(extent)
    return start, stop


def _take(
    call: Call,
    start: list[int],
    stop: list[int],
    step: list[int],
    form: Form,
    *,
    operand: int = 0,
    output: int = 0,
    shrink: int = 0,
) -> None:
    """Append the slice of these bounds, given in the file's order."""
    extents = call.shape(operand)
    inside = all(
        0 <= first < last <= extent
        for first, last, extent in zip(start, stop, extents, strict=True)
    )
    if not inside:
        raise call.refuse(f"from {start} to {stop} of {list(extents)}", "at least one element")
    sizes = [-(-(b - a) // c) for a, b, c in zip(start, stop, step, strict=True)]
    op = Slice(
        start=call.arrange(start, form),
        stop=call.arrange(stop, form),
        step=call.arrange(step, form),
    )
    name = call.take(operand, form)
    shape = call.arrange(sizes, form)
    if not shrink:
        call.finish(op, (name,), shape, form, output=output)
        return
    part = call.emit(op, (name,), shape, call.scope.tensor(name).dtype, "part")
    kept = tuple(size for axis, size in enumerate(sizes) if not shrink >> axis & 1)
    call.finish(Reshape(shape=kept), (part,), kept, "plain")
