"""Turns what is known of a tensor into nodes, in the form a consumer asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite

import numpy as np

from htvm.frontend.onnx.call import Call, finite
from htvm.frontend.onnx.grid import Grid
from htvm.frontend.onnx.values import Accumulated, Coded, Joined, Known, Scaled, Stored, Value
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.requant import FloatRequant
from htvm.ir.tensor import Quantization

_LOWEST, _HIGHEST = (float(bound) for bound in (np.finfo("f4").min, np.finfo("f4").max))


@dataclass(frozen=True, kw_only=True)
class Label:
    """Names for what is about to be made.

    Attributes:
        node: Name of the node.
        output: Name of its output.
        sources: Source nodes it stands for, besides those its input brings along.
    """

    node: str
    output: str
    sources: tuple[str, ...] = ()


def label(call: Call) -> Label:
    """The names of the source node itself."""
    return Label(node=call.name, output=call.output, sources=(call.name,))


def made_up(call: Call, wanted: str) -> Label:
    """Names for a step the source does not have, made from those of its node."""
    return Label(
        node=call.builder.fresh_node(f"{call.name}_{wanted}"),
        output=call.builder.fresh_tensor(f"{call.output}_{wanted}"),
        sources=(call.name,),
    )


def stored(value: Value, tensor: str, dtype: DType, target: Label) -> Stored:
    """The value once it is in a tensor."""
    return Stored(
        shape=value.shape, node=target.node, name=target.output, tensor=tensor, dtype=dtype
    )


def untold(value: Value) -> tuple[str, ...]:
    """Source nodes that no node stands for yet once the value is a float tensor."""
    return value.sources if isinstance(value, Stored | Known) else ()


def accumulate(call: Call, value: Accumulated) -> str:
    """The tensor of the accumulator, without the views."""
    form = f"accumulator {value.bias_name}"
    made = call.builder.made(form, value.job[1])
    if made is not None:
        return made
    inputs = value.inputs
    if value.bias is not None:
        inputs = (*inputs, call.builder.constant(value.bias_name, value.bias, DType.INT32))
    tensor = call.builder.node(
        value.op,
        inputs,
        name=value.job[0],
        output=value.job[1],
        shape=value.acc_shape,
        dtype=DType.INT32,
        sources=value.told,
    )
    call.builder.remember(form, value.job[1], tensor)
    return tensor


def settle(
    call: Call,
    value: Accumulated,
    op: ops.Op | None,
    target: Label,
    *,
    dtype: DType,
    quantization: Quantization | None = None,
) -> str:
    """Apply ``op`` (if any) to the accumulator, then the views; the last node writes the target.

    Where the source viewed what ``op`` makes, that has the name it has there.
    """
    tensor = accumulate(call, value)
    viewed: tuple[str, str] | None = None
    steps: list[tuple[ops.Op, str, tuple[int, ...], tuple[str, ...]]] = []
    if op is not None:
        viewed = _viewed(value, target)
        name = viewed[0] if viewed else target.node
        steps.append((op, name, value.acc_shape, (*value.sources, *target.sources)))
    steps.extend((view.op, view.node, view.shape, (view.node,)) for view in value.views)
    for index, (step, node, shape, told) in enumerate(steps):
        wanted = target.output
        if index + 1 < len(steps):
            before = f"{target.output}_before_{steps[index + 1][1]}"
            wanted = viewed[1] if index == 0 and viewed else call.builder.fresh_tensor(before)
        tensor = call.builder.node(
            step,
            (tensor,),
            name=node,
            output=wanted,
            shape=shape,
            dtype=dtype,
            sources=told,
            quantization=quantization,
        )
    return tensor


def _viewed(value: Accumulated, target: Label) -> tuple[str, str] | None:
    """The source's node and tensor of what the views begin with, if nothing but views follow."""
    nodes = [view.node for view in value.views]
    before = [view.of[0] if view.of else None for view in value.views]
    if not nodes or before[1:] != nodes[:-1] or nodes[-1] != target.node:
        return None
    return value.views[0].of


def quantise(call: Call, value: Value, grid: Grid, target: Label) -> Value:
    """The value on a grid: an integer tensor, or a constant of integers.

    Raises:
        UnsupportedModelError: the value has no such form.
    """
    if isinstance(value, Known):
        real = finite(call, value.name, value.real)
        return replace(
            value,
            array=grid.integers(real),
            grid=None,
            name=target.output,
            sources=(*value.sources, *target.sources),
        )
    if isinstance(value, Joined):
        return _quantise_joined(call, value, grid, target)
    if grid.axis is not None:
        return _quantise_float(call, value, grid, target)
    if isinstance(value, Coded):
        return _quantise_coded(call, value, grid, target)
    if isinstance(value, Scaled):
        return _requantise(call, value, grid, target)
    return _quantise_float(call, value, grid, target)


def _quantise_coded(call: Call, value: Coded, grid: Grid, target: Label) -> Value:
    if value.grid is not None and value.grid.same(grid):
        known = stored(value, value.tensor, value.dtype, target)
        return replace(known, sources=(*value.sources, *target.sources))
    tensor = call.builder.node(
        ops.Lut(table=grid.integers(value.table), out=grid.dtype),
        (value.tensor,),
        name=target.node,
        output=target.output,
        shape=value.shape,
        dtype=grid.dtype,
        sources=(*value.sources, *target.sources),
        quantization=grid.quantization,
    )
    return stored(value, tensor, grid.dtype, target)


def _requantise(call: Call, value: Scaled, grid: Grid, target: Label) -> Value:
    divisor = np.float32(grid.scale[0] * np.float32(value.count))
    lo, hi = _integer_bounds(grid, value.lo, value.hi)
    op = FloatRequant(
        out=grid.dtype,
        lo=lo,
        hi=hi,
        axis=value.channels if value.scale.size > 1 else None,
        scale=np.asarray(value.scale / divisor, dtype=np.float32),
        zero_point=grid.zero_point,
    )
    finite(call, f"{target.output} (scale)", op.scale)
    tensor = settle(call, value, op, target, dtype=grid.dtype, quantization=grid.quantization)
    return stored(value, tensor, grid.dtype, target)


def _quantise_float(call: Call, value: Value, grid: Grid, target: Label) -> Value:
    if not grid.has_one_zero_point:
        raise call.refuse("zero points that differ by channel", "one zero point a tensor")
    source = value if isinstance(value, Stored) else None
    if source is not None and source.dtype != DType.FLOAT32:
        raise call.refuse(f"input of type {source.dtype}", "a float32 tensor to quantise")
    bounds = (source.lo, source.hi) if source is not None else (-inf, inf)
    if grid.axis is not None and any(map(isfinite, bounds)):
        source, bounds = None, (-inf, inf)
    lo, hi = _integer_bounds(grid, *bounds)
    tensor = call.builder.node(
        ops.Quantize(
            scale=grid.scale,
            zero_point=grid.zero_point,
            out=grid.dtype,
            lo=lo,
            hi=hi,
            axis=grid.axis,
        ),
        (source.tensor if source is not None else as_float(call, value),),
        name=target.node,
        output=target.output,
        shape=value.shape,
        dtype=grid.dtype,
        sources=(*value.sources, *target.sources),
        quantization=grid.quantization,
    )
    return stored(value, tensor, grid.dtype, target)


def _quantise_joined(call: Call, value: Joined, grid: Grid, target: Label) -> Value:
    names = []
    for index, part in enumerate(value.parts):
        inner = made_up(call, f"part{index}")
        done = quantise(call, part, grid, replace(inner, sources=target.sources))
        names.append(as_tensor(call, done))
    tensor = call.builder.node(
        ops.Concat(axis=value.axis),
        tuple(names),
        name=value.node,
        output=target.output,
        shape=value.shape,
        dtype=grid.dtype,
        sources=(*value.sources, *target.sources),
        quantization=grid.quantization,
    )
    return stored(value, tensor, grid.dtype, target)


def _integer_bounds(grid: Grid, lo: float, hi: float) -> tuple[int, int]:
    """Bounds of an absorbed activation on the grid: quantising is monotone, so they commute."""
    least, most = grid.dtype.bounds
    if grid.axis is not None:
        return least, most
    lowest = int(grid.integers(lo)) if isfinite(lo) else least
    highest = int(grid.integers(hi)) if isfinite(hi) else most
    return lowest, highest


def as_tensor(call: Call, value: Value) -> str:
    """The tensor that holds an integer value.

    Raises:
        UnsupportedModelError: the value is not in a tensor of its own.
    """
    if isinstance(value, Known) and value.grid is None:
        dtype = DType(str(value.array.dtype))
        return call.builder.constant(value.name, value.array, dtype)
    if not isinstance(value, Stored):
        raise call.refuse(f"input {value.name!r} is a float", "an integer tensor")
    return value.tensor


def as_float(call: Call, value: Value) -> str:
    """The float32 tensor of the value.

    Raises:
        UnsupportedModelError: the value has no such form.
    """
    if isinstance(value, Known):
        if value.array.dtype.kind not in "fiu":
            raise call.refuse(f"constant of type {value.array.dtype}", "numbers")
        real = finite(call, value.name, np.asarray(value.real, dtype=np.float32))
        return call.builder.constant(value.name, real, DType.FLOAT32)
    made = call.builder.made("float", value.name)
    if made is None:
        made = _make_float(call, value)
        call.builder.remember("float", value.name, made)
    return made


def _make_float(call: Call, value: Value) -> str:
    target = Label(node=value.node or value.name, output=value.name)
    if isinstance(value, Stored):
        if value.dtype != DType.FLOAT32:
            seen = f"input {value.name!r} of type {value.dtype}"
            raise call.refuse(seen, "float32, as DequantizeLinear or Cast make it")
        return _clipped(call, value, value.tensor, value.lo, value.hi)
    if isinstance(value, Coded):
        return _one(call, value, _decoder(value), (value.tensor,), target)
    if isinstance(value, Scaled):
        scale = np.asarray(value.scale / np.float32(value.count), dtype=np.float32)
        axis = value.channels if scale.size > 1 else None
        op = ops.Dequantize(scale=scale, zero_point=0, axis=axis)
        taken = call.builder.fresh_tensor(f"{value.name}_float")
        node = call.builder.fresh_node(f"{target.node}_float")
        bare = replace(target, node=node, output=taken)
        tensor = settle(call, value, op, bare, dtype=DType.FLOAT32)
        return _clipped(call, value, tensor, value.lo, value.hi)
    if isinstance(value, Joined):
        parts = tuple(as_float(call, part) for part in value.parts)
        return _one(call, value, ops.Concat(axis=value.axis), parts, target)
    raise call.refuse(f"input {value.name!r}", "a float32 tensor")


def _decoder(value: Coded) -> ops.Op:
    grid = value.grid
    if grid is None:
        return ops.Lut(table=value.table, out=DType.FLOAT32)
    return ops.Dequantize(scale=grid.scale, zero_point=grid.zero_point)


def _clipped(call: Call, value: Value, tensor: str, lo: float, hi: float) -> str:
    if not isfinite(lo) and not isfinite(hi):
        return tensor
    target = Label(node=f"{value.node}_clip", output=f"{value.name}_clip")
    bounds = ops.Clip(lo=max(lo, _LOWEST), hi=min(hi, _HIGHEST))
    return _one(call, value, bounds, (tensor,), target)


def _one(call: Call, value: Value, op: ops.Op, inputs: tuple[str, ...], target: Label) -> str:
    return call.builder.node(
        op,
        inputs,
        name=target.node,
        output=target.output,
        shape=value.shape,
        dtype=DType.FLOAT32,
        sources=(*value.sources, *target.sources),
    )
