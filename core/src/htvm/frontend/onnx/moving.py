"""Ops that move elements about: shapes, slices, paddings, concatenation."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from htvm.frontend.onnx.call import Call
from htvm.frontend.onnx.realise import label, made_up
from htvm.frontend.onnx.shaping import (
    as_real,
    as_stored,
    is_pending,
    moved,
    reshape,
    transpose,
)
from htvm.frontend.onnx.values import Coded, Joined, Known, Shape, Stored, Value
from htvm.ir import ops
from htvm.ir.dtype import DType

_FAR = 2**31 - 1


def identity(call: Call) -> Value:
    """Identity, and Dropout, which does nothing after training."""
    return replace(call.value(0), sources=call.sources(call.value(0)))


def cast(call: Call) -> Value:
    """Cast of a tensor to float32, or to the type it has."""
    from onnx import TensorProto

    value, to = call.value(0), call.integer("to", 0)
    is_float = not isinstance(value, Stored) or value.dtype == DType.FLOAT32
    if to == TensorProto.FLOAT and is_float:
        return identity(call)
    if to != TensorProto.FLOAT or not isinstance(value, Stored):
        seen = f"{value.name!r} to {TensorProto.DataType.Name(to)}"
        raise call.refuse(seen, "a cast to float32")
    tensor = call.builder.node(
        ops.Cast(out=DType.FLOAT32),
        (value.tensor,),
        name=call.name,
        output=call.output,
        shape=value.shape,
        dtype=DType.FLOAT32,
        sources=call.sources(value),
    )
    return replace(value, tensor=tensor, dtype=DType.FLOAT32, name=call.output, sources=())


def reshape_(call: Call) -> Value:
    """Reshape, with 0 for an extent kept and -1 for the one that follows."""
    value = call.value(0)
    wanted = call.integers("shape", 1) or ()
    keep_zero = bool(call.integer("allowzero", 0))
    shape = list(wanted)
    for axis, extent in enumerate(shape):
        if extent == 0 and not keep_zero and axis < len(value.shape):
            shape[axis] = value.shape[axis]
    known = prod(extent for extent in shape if extent != -1)
    if shape.count(-1) == 1 and known and prod(value.shape) % known == 0:
        shape[shape.index(-1)] = prod(value.shape) // known
    if min(shape, default=1) < 1:
        raise call.refuse(f"{list(value.shape)} to {list(wanted)}", "equal numbers of elements")
    return reshape(call, value, tuple(shape))


def flatten(call: Call) -> Value:
    """Flatten to a matrix."""
    value = call.value(0)
    axis = call.integer("axis", 1)
    axis = axis if axis == len(value.shape) else call.axis(axis, len(value.shape))
    return reshape(call, value, (prod(value.shape[:axis]), prod(value.shape[axis:])))


def squeeze(call: Call) -> Value:
    """Squeeze of given axes, or of all that are 1."""
    value = call.value(0)
    axes = call.integers("axes", 1)
    gone = {call.axis(axis, len(value.shape)) for axis in axes or ()}
    if axes is None:
        gone = {axis for axis, extent in enumerate(value.shape) if extent == 1}
    if any(value.shape[axis] != 1 for axis in gone):
        raise call.refuse(f"axes {axes} of {list(value.shape)}", "axes of extent 1")
    kept = tuple(extent for axis, extent in enumerate(value.shape) if axis not in gone)
    return reshape(call, value, kept)


def unsqueeze(call: Call) -> Value:
    """Unsqueeze at given axes of the result."""
    value = call.value(0)
    axes = call.integers("axes", 1) or ()
    rank = len(value.shape) + len(axes)
    new = {call.axis(axis, rank) for axis in axes}
    if len(new) != len(axes):
        raise call.refuse(f"axes {axes}", "axes given once each")
    extents = iter(value.shape)
    shape = tuple(1 if axis in new else next(extents) for axis in range(rank))
    return reshape(call, value, shape)


def transpose_(call: Call) -> Value:
    """Transpose, by default back to front."""
    value = call.value(0)
    rank = len(value.shape)
    perm = call.integers("perm") or tuple(reversed(range(rank)))
    if sorted(perm) != list(range(rank)):
        raise call.refuse(f"perm {perm} of {list(value.shape)}", "every axis once")
    return transpose(call, value, perm)


def concat(call: Call) -> Value:
    """Concat: of equal grids as integers, of others once it is known what they become."""
    parts = tuple(call.value(index) for index in range(len(call.values)))
    axis = call.axis(call.integer("axis", 0), len(parts[0].shape))
    return concatenate(call, parts, axis)


def concatenate(call: Call, parts: tuple[Value, ...], axis: int) -> Value:
    """The parts along an axis."""
    others = {(*part.shape[:axis], *part.shape[axis + 1 :]) for part in parts}
    if len(others) != 1 or len({len(part.shape) for part in parts}) != 1:
        shapes = ", ".join(str(list(part.shape)) for part in parts)
        raise call.refuse(f"shapes {shapes} along axis {axis}", "shapes that agree elsewhere")
    extent = sum(part.shape[axis] for part in parts)
    shape = (*parts[0].shape[:axis], extent, *parts[0].shape[axis + 1 :])
    if not _same_codes(parts):
        return Joined(
            shape=shape,
            node=call.name,
            name=call.output,
            sources=(call.name,),
            parts=parts,
            axis=axis,
        )
    first = as_stored(call, parts[0])
    held = [as_stored(call, part) for part in parts]
    tensor = call.builder.node(
        ops.Concat(axis=axis),
        tuple(part.tensor for part in held),
        name=call.name,
        output=call.output,
        shape=shape,
        dtype=first.dtype,
        sources=call.sources(*parts),
        quantization=call.builder.tensor(first.tensor).quantization,
    )
    return replace(first, tensor=tensor, shape=shape, node=call.name, name=call.output, sources=())


def _same_codes(parts: tuple[Value, ...]) -> bool:
    """Whether all parts are integers that mean the same."""
    first = parts[0]
    if isinstance(first, Stored):
        is_integer = first.dtype != DType.FLOAT32
        same = all(isinstance(part, Stored) and part.dtype == first.dtype for part in parts)
        return is_integer and same
    if not isinstance(first, Coded):
        return False
    return all(
        isinstance(part, Coded)
        and part.dtype == first.dtype
        and np.array_equal(part.table, first.table)
        for part in parts
    )


def slice_(call: Call) -> Value:
    """Slice with constant bounds and positive steps."""
    value = call.value(0)
    rank = len(value.shape)
    starts, ends = call.integers("starts", 1) or (), call.integers("ends", 2) or ()
    axes = call.integers("axes", 3) or tuple(range(len(starts)))
    steps = call.integers("steps", 4) or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or min(steps, default=1) < 1:
        seen = f"starts {starts}, ends {ends}, axes {axes}, steps {steps}"
        raise call.refuse(seen, "as many of each, steps of 1 or more")
    cut = [slice(0, extent, 1) for extent in value.shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = call.axis(axis, rank)
        low, high, _ = slice(start, end, step).indices(value.shape[place])
        cut[place] = slice(low, max(high, low), step)
    return _cut(call, value, tuple(cut))


def split(call: Call) -> list[Value]:
    """Split into parts along an axis, as one slice for each."""
    value = call.value(0)
    axis = call.axis(call.integer("axis", 0), len(value.shape))
    extent, parts = value.shape[axis], len(call.node.outputs)
    even = -(-extent // parts)
    sizes = call.integers("split", 1) or (*(even,) * (parts - 1), extent - even * (parts - 1))
    if sum(sizes) != extent or len(sizes) != parts or min(sizes) < 1:
        raise call.refuse(f"parts {sizes} of {extent}", "parts that add up to the axis")
    results, start = [], 0
    for output, size in zip(call.node.outputs, sizes, strict=True):
        cut = tuple(
            slice(start, start + size, 1) if number == axis else slice(0, whole, 1)
            for number, whole in enumerate(value.shape)
        )
        inner = replace(call, node=replace(call.node, outputs=(output,)))
        results.append(_cut(inner, value, cut))
        start += size
    return results


def _cut(call: Call, value: Value, cut: tuple[slice, ...]) -> Value:
    shape: Shape = tuple(len(range(part.start, part.stop, part.step)) for part in cut)
    if min(shape, default=1) < 1:
        raise call.refuse(f"an empty slice of {list(value.shape)}", "a slice with elements")
    if isinstance(value, Known) and (value.grid is None or value.grid.axis is None):
        array = np.ascontiguousarray(value.array[cut])
        sources = call.sources(value)
        return replace(value, array=array, shape=shape, name=call.output, sources=sources)
    op = ops.Slice(
        start=tuple(part.start for part in cut),
        stop=tuple(part.stop for part in cut),
        step=tuple(part.step for part in cut),
    )
    return moved(call, as_stored(call, value), op, shape, label(call))


def gather(call: Call) -> Value:
    """Gather of one constant index, as a slice."""
    value = call.value(0)
    indices = call.known(1)
    axis = call.axis(call.integer("axis", 0), len(value.shape))
    if indices is None or indices.size != 1:
        raise call.refuse("several indices", "one constant index; use Slice for a range")
    index = int(indices.reshape(-1)[0])
    index = call.axis(index, value.shape[axis])
    cut = tuple(
        slice(index, index + 1, 1) if number == axis else slice(0, extent, 1)
        for number, extent in enumerate(value.shape)
    )
    shape = (*value.shape[:axis], *indices.shape, *value.shape[axis + 1 :])
    inner = replace(call, node=replace(call.node, outputs=(made_up(call, "row").output,)))
    return reshape(call, _cut(inner, value, cut), shape)


def pad(call: Call) -> Value:
    """Pad with a constant that the tensor's grid has."""
    value = call.value(0)
    rank = len(value.shape)
    amounts = call.integers("pads", 1) or ()
    axes = call.integers("axes", 3) or tuple(range(rank))
    if call.text("mode", "constant") != "constant":
        raise call.refuse(f"mode {call.text('mode', '')}", "mode constant")
    if len(amounts) != 2 * len(axes) or min(amounts, default=0) < 0 or max(amounts) > _FAR:
        raise call.refuse(f"pads {amounts}", f"{2 * len(axes)} values of 0 or more")
    before, after = [0] * rank, [0] * rank
    for number, axis in enumerate(axes):
        before[call.axis(axis, rank)] = amounts[number]
        after[call.axis(axis, rank)] = amounts[number + len(axes)]
    given = call.number(2) if "value" not in call.node.attributes else call.real("value", 0.0)
    held = as_stored(call, value)
    if isinstance(held, Stored) and is_pending(held):
        held = as_real(call, held)  # bounds are not those of the padding
    op = ops.Pad(
        before=tuple(before), after=tuple(after), value=_pad_code(call, held, given or 0.0)
    )
    shape = tuple(b + extent + a for b, extent, a in zip(before, value.shape, after, strict=True))
    return moved(call, held, op, shape, label(call))


def _pad_code(call: Call, value: Stored | Coded, number: float) -> int:
    """The integer that stands for the number in this tensor."""
    if isinstance(value, Stored):
        if number != int(number) or not -_FAR <= number <= _FAR:
            raise call.refuse(f"padding with {number}", "padding with an integer")
        return int(number)
    where = np.nonzero(value.table == np.float32(number))[0]
    if not where.size:
        raise call.refuse(f"padding with {number}", "padding with a number the input can hold")
    return int(where[0]) + value.dtype.bounds[0]
