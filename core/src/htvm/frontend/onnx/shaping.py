"""Reshapes and transposes of whatever a tensor turned out to be."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite, prod

import numpy as np

from htvm.frontend.onnx.call import Call
from htvm.frontend.onnx.grid import Grid
from htvm.frontend.onnx.realise import Label, as_float, label, untold
from htvm.frontend.onnx.values import (
    Accumulated,
    Coded,
    Joined,
    Known,
    Shape,
    Stored,
    Value,
    View,
)
from htvm.ir import ops
from htvm.ir.dtype import DType


def reshape(call: Call, value: Value, shape: Shape, target: Label | None = None) -> Value:
    """The same elements in another shape.

    Raises:
        UnsupportedModelError: the shapes hold different numbers of elements.
    """
    if prod(shape) != prod(value.shape):
        raise call.refuse(f"{list(value.shape)} to {list(shape)}", "equal numbers of elements")
    target = target or label(call)
    if isinstance(value, Known):
        grid = _reshaped_grid(call, value, shape)
        return _renamed(replace(value, array=value.array.reshape(shape), grid=grid), target, shape)
    return _view(call, value, ops.Reshape(shape=shape), shape, target)


def transpose(call: Call, value: Value, perm: Shape, target: Label | None = None) -> Value:
    """The axes in another order: axis ``i`` of the result is ``perm[i]`` of the value."""
    shape = tuple(value.shape[axis] for axis in perm)
    target = target or label(call)
    if isinstance(value, Known):
        grid = value.grid
        if grid is not None and grid.axis is not None:
            grid = replace(grid, axis=perm.index(grid.axis))
        array = np.ascontiguousarray(value.array.transpose(perm))
        return _renamed(replace(value, array=array, grid=grid), target, shape)
    return _view(call, value, ops.Transpose(perm=perm), shape, target)


def as_stored(call: Call, value: Value) -> Stored | Coded:
    """The value in a tensor, as it is if it has one, else as float32."""
    return value if isinstance(value, Stored | Coded) else as_real(call, value)


def as_real(call: Call, value: Value) -> Stored:
    """The value in a float32 tensor."""
    return Stored(
        shape=value.shape,
        node=value.node,
        name=value.name,
        tensor=as_float(call, value),
        dtype=DType.FLOAT32,
        sources=untold(value),
    )


def moved(call: Call, value: Stored | Coded, op: ops.Op, shape: Shape, target: Label) -> Value:
    """Apply an op that moves elements without looking at them.

    The tensor bears the source's name only if it holds what the source's tensor does.
    """
    old = call.builder.tensor(value.tensor)
    keeps = old.quantization is not None and old.quantization.axis is None
    tensor = call.builder.node(
        op,
        (value.tensor,),
        name=target.node,
        output=_before(call, target) if is_pending(value) else target.output,
        shape=shape,
        dtype=value.dtype,
        sources=(*value.sources, *target.sources),
        quantization=old.quantization if keeps else None,
    )
    return replace(
        value, tensor=tensor, shape=shape, node=target.node, name=target.output, sources=()
    )


def is_pending(value: Stored | Coded) -> bool:
    """Whether a function or bounds are yet to be applied to what the tensor holds."""
    if isinstance(value, Coded):
        return value.grid is None
    return isfinite(value.lo) or isfinite(value.hi)


def _before(call: Call, target: Label) -> str:
    return call.builder.fresh_tensor(f"{target.output}_before_function")


def _view(
    call: Call, value: Value, op: ops.Reshape | ops.Transpose, shape: Shape, target: Label
) -> Value:
    if isinstance(value, Accumulated):
        view = View(op=op, shape=shape, node=target.node, of=(value.node, value.name))
        seen = replace(value, views=(*value.views, view))
        return replace(seen, shape=shape, node=target.node, name=target.output)
    if isinstance(value, Joined):
        value = as_stored(call, value)
    if not isinstance(value, Stored | Coded):
        raise call.refuse(f"input {value.name!r}", "a tensor")
    return moved(call, value, op, shape, target)


def _renamed(value: Known, target: Label, shape: Shape) -> Known:
    sources = (*value.sources, *target.sources)
    return replace(value, name=target.output, node=target.node, shape=shape, sources=sources)


def _reshaped_grid(call: Call, value: Known, shape: Shape) -> Grid | None:
    grid = value.grid
    if grid is None or grid.axis is None:
        return grid
    axis = axis_after(value.shape, shape, grid.axis)
    if axis is None:
        seen = f"{list(value.shape)} to {list(shape)} with scales along axis {grid.axis}"
        raise call.refuse(seen, "a reshape that keeps the axis of the scales whole")
    return replace(grid, axis=axis)


def axis_after(old: Shape, new: Shape, axis: int) -> int | None:
    """Where an axis is after a reshape, or None if it is split or merged."""
    before = prod(old[:axis])
    for number, extent in enumerate(new):
        if extent == old[axis] and prod(new[:number]) == before:
            return number
    return None
