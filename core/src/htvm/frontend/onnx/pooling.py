"""Pools and reductions."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import numpy.typing as npt

from htvm.frontend.onnx.call import Call
from htvm.frontend.onnx.linear import activation, is_quantised
from htvm.frontend.onnx.pointwise import elementwise
from htvm.frontend.onnx.realise import label, made_up
from htvm.frontend.onnx.shaping import as_real, as_stored, moved, reshape
from htvm.frontend.onnx.values import Coded, Known, Scaled, Shape, Stored, Value, View
from htvm.frontend.onnx.window import Window, window
from htvm.ir import ops

Counts = npt.NDArray[np.int64]


def max_pool(call: Call) -> Value:
    """MaxPool; a growing function of integers is pooled as integers."""
    if len([name for name in call.node.outputs if name]) > 1:
        raise call.refuse("the indices are an output too", "MaxPool with one output")
    return _pool_max(call, _frame(call))


def global_max_pool(call: Call) -> Value:
    """GlobalMaxPool."""
    return _pool_max(call, whole_image(call, call.value(0).shape))


def _pool_max(call: Call, frame: Window) -> Value:
    held = as_stored(call, call.value(0))
    if isinstance(held, Coded) and not bool((np.diff(held.table) >= 0).all()):
        held = as_real(call, held)
    op = ops.MaxPool2d(kernel=frame.kernel, stride=frame.stride, pad=frame.pad)
    shape = (*held.shape[:2], *frame.out)
    if len(held.shape) == 4:
        return moved(call, held, op, shape, label(call))
    pooled = moved(call, _lifted(call, held), op, shape, made_up(call, "pooled"))
    return reshape(call, pooled, (*held.shape[:2], frame.out[1]))


def average_pool(call: Call) -> Value:
    """AveragePool of a dequantised tensor."""
    frame = _frame(call)
    padded = bool(call.integer("count_include_pad", 0))
    return averaged(call, call.value(0), frame, elements(frame, call.value(0).shape, padded))


def global_average_pool(call: Call) -> Value:
    """GlobalAveragePool of a dequantised tensor."""
    frame = whole_image(call, call.value(0).shape)
    return averaged(call, call.value(0), frame, np.array([[prod(frame.kernel)]]))


def averaged(call: Call, value: Value, frame: Window, counts: Counts) -> Value:
    """Window sums over counts; the division joins the requantisation if all counts agree."""
    count = int(counts.flat[0])
    same = bool((counts == count).all())
    if not is_quantised(value):
        total: Value = _float_sums(call, value, frame)
        counts = counts[:1, :1] if same else counts
    else:
        coded, _ = activation(call, value)
        if same:
            return summed(call, coded, frame, count)
        total = summed(call, coded, frame, 1)
    shape = (1, 1, *counts.shape) if len(value.shape) == 4 else (1, 1, counts.shape[1])
    divisor = Known(
        shape=shape,
        name=call.builder.fresh_tensor(f"{call.output}_counts"),
        array=counts.astype(np.float32).reshape(shape),
    )
    return elementwise(call, "div", total, divisor, label(call))


def _float_sums(call: Call, value: Value, frame: Window) -> Value:
    """Window sums in float32."""
    image = _lifted(call, as_real(call, value))
    op = ops.SumPool2d(kernel=frame.kernel, stride=frame.stride, pad=frame.pad)
    shape = (*image.shape[:2], *frame.out)
    total = moved(call, image, op, shape, made_up(call, "sum"))
    if len(value.shape) == 4:
        return total
    return reshape(call, total, (*shape[:2], frame.out[1]), made_up(call, "sums"))


def summed(call: Call, value: Coded, frame: Window, count: int) -> Scaled:
    """The accumulator of a pool that averages over ``count`` elements."""
    held, grid = activation(call, value)
    shape: Shape = (*held.shape[:2], *frame.out)
    views: tuple[View, ...] = ()
    outer = shape
    if len(held.shape) == 3:
        outer = (*held.shape[:2], frame.out[1])
        node = call.builder.fresh_node(f"{call.name}_output")
        views = (View(op=ops.Reshape(shape=outer), shape=outer, node=node),)
    op = ops.SumPool2d(
        kernel=frame.kernel,
        stride=frame.stride,
        pad=frame.pad,
        input_zero_point=grid.zero_point,
    )
    image = _lifted(call, held)
    return Scaled(
        shape=outer,
        node=call.name,
        name=call.output,
        op=op,
        inputs=(image.tensor,),
        job=(call.name, call.output),
        told=call.sources(value),
        acc_shape=shape,
        channels=None,
        views=views,
        scale=grid.scale,
        count=count,
    )


def reduce_mean(call: Call) -> Value:
    """ReduceMean of a dequantised tensor."""
    axes, keep = reduction(call)
    return reduced(call, axes, keep, prod(call.value(0).shape[axis] for axis in axes))


def reduce_sum(call: Call) -> Value:
    """ReduceSum of a dequantised tensor."""
    axes, keep = reduction(call)
    return reduced(call, axes, keep, 1)


def reduce_max(call: Call) -> Value:
    """ReduceMax over the whole image."""
    axes, keep = reduction(call)
    value = call.value(0)
    if axes != tuple(range(2, len(value.shape))):
        raise call.refuse(f"axes {axes} of {list(value.shape)}", "all axes of the image")
    held = as_stored(call, value)
    frame = whole_image(call, value.shape)
    op = ops.MaxPool2d(kernel=frame.kernel, stride=frame.stride)
    if isinstance(held, Coded) and not bool((np.diff(held.table) >= 0).all()):
        held = as_real(call, held)
    image = _lifted(call, held)
    pooled = moved(call, image, op, (*value.shape[:2], 1, 1), made_up(call, "pooled"))
    return reshape(call, pooled, reduced_shape(value.shape, axes, keep))


def reduced(call: Call, axes: tuple[int, ...], keep: bool, count: int) -> Value:
    """The accumulator of a reduction; over a whole image it is a pool."""
    if not is_quantised(call.value(0)):
        return _float_reduction(call, axes, keep, count)
    value, grid = activation(call, call.value(0))
    shape = reduced_shape(value.shape, axes, keep)
    if len(value.shape) == 4 and axes == (2, 3) and value.shape[0] == 1:
        pooled = summed(call, value, whole_image(call, value.shape), count)
        if keep:
            return pooled
        node = call.builder.fresh_node(f"{call.name}_output")
        view = View(op=ops.Reshape(shape=shape), shape=shape, node=node)
        return replace(pooled, shape=shape, views=(view,))
    return Scaled(
        shape=shape,
        node=call.name,
        name=call.output,
        op=ops.ReduceSum(axes=axes, keepdims=keep, input_zero_point=grid.zero_point),
        inputs=(value.tensor,),
        job=(call.name, call.output),
        told=call.sources(value),
        acc_shape=shape,
        channels=None,
        scale=grid.scale,
        count=count,
    )


def _float_reduction(call: Call, axes: tuple[int, ...], keep: bool, count: int) -> Value:
    """A sum or a mean in float32."""
    value = as_real(call, call.value(0))
    shape = reduced_shape(value.shape, axes, keep)
    target = label(call) if count == 1 else made_up(call, "sum")
    total = moved(call, value, ops.ReduceSum(axes=axes, keepdims=keep), shape, target)
    if count == 1:
        return total
    name = call.builder.fresh_tensor(f"{call.output}_count")
    divisor = Known(shape=(), name=name, array=np.array(count, np.float32))
    return elementwise(call, "div", total, divisor, label(call))


def reduction(call: Call) -> tuple[tuple[int, ...], bool]:
    """Axes of a reduction, from the front and in order, and whether they stay as 1."""
    rank = len(call.value(0).shape)
    axes = call.integers("axes", 1)
    if not axes:
        if call.integer("noop_with_empty_axes", 0):
            raise call.refuse("no axes", "axes to reduce")
        axes = tuple(range(rank))
    ordered = tuple(sorted({call.axis(axis, rank) for axis in axes}))
    return ordered, bool(call.integer("keepdims", 1))


def reduced_shape(shape: Shape, axes: tuple[int, ...], keep: bool) -> Shape:
    """The shape after a reduction."""
    if keep:
        return tuple(1 if axis in axes else extent for axis, extent in enumerate(shape))
    return tuple(extent for axis, extent in enumerate(shape) if axis not in axes)


def elements(frame: Window, shape: Shape, padded: bool) -> Counts:
    """Elements averaged at each position, padding that the node declares included or not."""
    image = shape[2:] if len(shape) == 4 else (1, shape[2])
    axes = []
    for axis in range(2):
        before, after = frame.declared[axis], frame.declared[axis + 2]
        low, high = (-before, image[axis] + after) if padded else (0, image[axis])
        starts = np.arange(frame.out[axis]) * frame.stride[axis] - before
        ends = np.minimum(starts + frame.kernel[axis], high)
        axes.append(ends - np.maximum(starts, low))
    return np.asarray(np.outer(*axes), dtype=np.int64)


def whole_image(call: Call, shape: Shape) -> Window:
    """The window that covers all of an image."""
    if len(shape) not in {3, 4}:
        raise call.refuse(f"input {list(shape)}", "an image with one or two spatial dimensions")
    kernel = (shape[2], shape[3]) if len(shape) == 4 else (1, shape[2])
    return Window(
        kernel=kernel,
        stride=kernel,
        pad=(0, 0, 0, 0),
        declared=(0, 0, 0, 0),
        dilation=(1, 1),
        out=(1, 1),
    )


def _frame(call: Call) -> Window:
    kernel = call.integers("kernel_shape")
    if kernel is None or call.integer("storage_order", 0):
        raise call.refuse("no kernel_shape, or column-major order", "a kernel_shape")
    frame = window(call, call.value(0).shape[2:], kernel)
    if frame.dilation != (1, 1):
        raise call.refuse(f"dilations {frame.dilation}", "dilations of 1")
    return frame


def _lifted(call: Call, value: Stored | Coded) -> Stored | Coded:
    """The tensor as an image, a row as an image of height 1."""
    if len(value.shape) == 4:
        return value
    shape = (*value.shape[:2], 1, value.shape[2])
    lifted = reshape(call, value, shape, made_up(call, "input"))
    if not isinstance(lifted, Stored | Coded):
        raise call.refuse(f"input {value.name!r}", "a tensor")
    return lifted
