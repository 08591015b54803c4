"""QOperator form: ops that carry the scales of their inputs and outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from htvm.frontend.onnx import linear, pooling, softmax
from htvm.frontend.onnx.call import Call, Rule
from htvm.frontend.onnx.functions import FUNCTIONS, checked
from htvm.frontend.onnx.grid import Grid, make_grid
from htvm.frontend.onnx.moving import concatenate
from htvm.frontend.onnx.pointwise import Function, elementwise
from htvm.frontend.onnx.quantisers import operand_grid
from htvm.frontend.onnx.realise import (
    Label,
    label,
    made_up,
    quantise,
    settle,
    stored,
)
from htvm.frontend.onnx.values import Coded, Known, Scaled, Stored, Value
from htvm.frontend.onnx.window import Window, window
from htvm.ir.dtype import DType

_BYTES = frozenset({DType.INT8, DType.UINT8})


def operand(call: Call, index: int, scale: int, zero: int, *, axis: int = 0) -> Value:
    """Input ``index`` dequantised by the inputs that hold its scale and zero point."""
    value = call.value(index)
    name = value.array.dtype if isinstance(value, Known) else getattr(value, "dtype", "float")
    if str(name) not in _BYTES or (isinstance(value, Known) and value.grid is not None):
        raise call.refuse(f"input {value.name!r} of type {name}", "an int8 or uint8 tensor")
    dtype = DType(str(name))
    grid = operand_grid(call, scale, zero, dtype, rank=len(value.shape), axis=axis)
    if isinstance(value, Known):
        return replace(value, grid=grid)
    if not isinstance(value, Stored) or grid.axis is not None:
        raise call.refuse(f"input {value.name!r}", "a tensor with one scale")
    call.builder.annotate(value.tensor, grid.quantization)
    return coded(call, value, grid)


def coded(call: Call, value: Stored, grid: Grid) -> Coded:
    """A tensor read on a grid, under a name of its own: the source has none for the floats."""
    return Coded(
        shape=value.shape,
        node=f"{value.node or value.name}_dequantize",
        name=f"{value.name}_float",
        sources=value.sources,
        tensor=value.tensor,
        dtype=grid.dtype,
        table=grid.table(),
        grid=grid,
    )


def result(call: Call, scale: int, zero: int, default: Value) -> Grid:
    """The grid of the output."""
    points = call.known(zero)
    fallback = default.dtype if isinstance(default, Coded) else DType.UINT8
    name = str(points.dtype) if points is not None else fallback.value
    if name not in _BYTES:
        raise call.refuse(f"output of type {name}", "int8 or uint8")
    grid = operand_grid(call, scale, zero, DType(name), rank=1, axis=0)
    if grid.axis is not None:
        raise call.refuse(f"{grid.scale.size} output scales", "one output scale")
    return grid


def _job(call: Call, *values: Value | None) -> linear.Job:
    """Names for the accumulator; the source's own name of the node goes to it."""
    output = call.builder.fresh_tensor(f"{call.output}_acc")
    return linear.Job(node=call.name, output=output, told=call.sources(*values))


def _requantised(call: Call, value: Scaled, grid: Grid) -> Value:
    node = call.builder.fresh_node(f"{call.name}_requant")
    return quantise(call, value, grid, Label(node=node, output=call.output, sources=(call.name,)))


def conv(call: Call) -> Value:
    """QLinearConv."""
    if call.integer("channels_last", 0):
        raise call.refuse("channels_last 1", "images with channels first")
    x, w = operand(call, 0, 1, 2), operand(call, 3, 4, 5)
    acc = linear.convolve(call, x, w, call.optional(8), _job(call, x, w))
    return _requantised(call, acc, result(call, 6, 7, x))


def matmul(call: Call) -> Value:
    """QLinearMatMul."""
    rank = len(call.value(3).shape)
    a, b = operand(call, 0, 1, 2), operand(call, 3, 4, 5, axis=rank - 1)
    acc = linear.product(call, a, b, _job(call, a, b))
    return _requantised(call, acc, result(call, 6, 7, a))


def gemm(call: Call) -> Value:
    """com.microsoft's QGemm; without an output scale its output is float."""
    transposed = call.integer("transB", 0)
    a, b = operand(call, 0, 1, 2), operand(call, 3, 4, 5, axis=0 if transposed else 1)
    if call.real("alpha", 1.0) != 1.0:
        raise call.refuse(f"alpha {call.real('alpha', 1.0)}", "alpha 1")
    acc = linear.multiply(call, a, b, call.optional(6), _job(call, a, b))
    if call.optional(7) is None:
        return replace(acc, name=call.output)
    return _requantised(call, acc, result(call, 7, 8, a))


def arithmetic(function: Function) -> Rule:
    """The rule of QLinearAdd or QLinearMul, by its textbook form."""

    def rule(call: Call) -> Value:
        a, b = operand(call, 0, 1, 2), operand(call, 3, 4, 5)
        inner = made_up(call, "float")
        done = elementwise(call, function, a, b, replace(inner, node=call.name))
        grid = result(call, 6, 7, a if isinstance(a, Coded) else b)
        node = call.builder.fresh_node(f"{call.name}_quantize")
        target = Label(node=node, output=call.output, sources=(call.name,))
        return quantise(call, done, grid, target)

    return rule


def average_pool(call: Call) -> Value:
    """com.microsoft's QLinearAveragePool."""
    _channels_first(call)
    x = operand(call, 0, 1, 2)
    kernel = call.integers("kernel_shape") or ()
    frame = window(call, x.shape[2:], kernel)
    padded = bool(call.integer("count_include_pad", 0))
    return _pooled(call, x, frame, pooling.elements(frame, x.shape, padded))


def global_average_pool(call: Call) -> Value:
    """com.microsoft's QLinearGlobalAveragePool."""
    _channels_first(call)
    x = operand(call, 0, 1, 2)
    frame = pooling.whole_image(call, x.shape)
    count = frame.kernel[0] * frame.kernel[1]
    return _pooled(call, x, frame, np.array([[count]]))


def _pooled(call: Call, x: Value, frame: Window, counts: pooling.Counts) -> Value:
    inner = replace(call.node, outputs=(call.builder.fresh_tensor(f"{call.output}_acc"),))
    acc = pooling.averaged(replace(call, node=inner), x, frame, counts)
    grid = result(call, 3, 4, x)
    node = call.builder.fresh_node(f"{call.name}_requant")
    return quantise(call, acc, grid, Label(node=node, output=call.output, sources=(call.name,)))


def _channels_first(call: Call) -> None:
    if call.integer("channels_last", 0):
        raise call.refuse("channels_last 1", "images with channels first")


def unary(function: str) -> Rule:
    """The rule of QLinearSigmoid or QLinearLeakyRelu."""

    def rule(call: Call) -> Value:
        x = operand(call, 0, 1, 2)
        if not isinstance(x, Coded):
            raise call.refuse("a constant input", "a computed one")
        table = checked(call, FUNCTIONS[function], x.table)
        return quantise(
            call, replace(x, table=table, grid=None), result(call, 3, 4, x), label(call)
        )

    return rule


def softmax_(call: Call) -> Value:
    """com.microsoft's QLinearSoftmax."""
    x = operand(call, 0, 1, 2)
    if not isinstance(x, Coded):
        raise call.refuse("a constant input", "a computed one")
    return softmax.qlinear_softmax(call, x, result(call, 3, 4, x))


def concat(call: Call) -> Value:
    """com.microsoft's QLinearConcat: parts on other grids go through a table each."""
    count = (len(call.values) - 2) // 3
    parts = tuple(operand(call, 2 + 3 * n, 3 + 3 * n, 4 + 3 * n) for n in range(count))
    grid = result(call, 0, 1, parts[0])
    axis = call.axis(call.integer("axis", 0), len(parts[0].shape))
    done = []
    for number, part in enumerate(parts):
        target = replace(made_up(call, f"part{number}"), sources=(call.name,))
        done.append(quantise(call, part, grid, target))
    return concatenate(call, tuple(done), axis)


def integer_conv(call: Call) -> Value:
    """ConvInteger: the accumulator itself, in int32."""
    x, w = _unscaled(call, 0, 2), _unscaled(call, 1, 3)
    job = linear.Job(node=call.name, output=call.output, told=call.sources())
    return _raw(call, linear.convolve(call, x, w, None, job))


def integer_matmul(call: Call) -> Value:
    """MatMulInteger: the accumulator itself, in int32."""
    a, b = _unscaled(call, 0, 2), _unscaled(call, 1, 3)
    job = linear.Job(node=call.name, output=call.output, told=call.sources())
    return _raw(call, linear.product(call, a, b, job))


def _unscaled(call: Call, index: int, zero: int) -> Value:
    """An operand of an Integer op: its integers minus their zero point."""
    value = call.value(index)
    name = str(value.array.dtype if isinstance(value, Known) else getattr(value, "dtype", "float"))
    if name not in _BYTES:
        raise call.refuse(f"input {value.name!r} of type {name}", "an int8 or uint8 tensor")
    owner = f"node {call.name!r}"
    one = np.ones((), np.float32)
    grid = make_grid(owner, one, call.known(zero), DType(name), axis=0, rank=len(value.shape))
    if isinstance(value, Known):
        return replace(value, grid=grid)
    if not isinstance(value, Stored):
        raise call.refuse(f"input {value.name!r}", "an integer tensor")
    return coded(call, value, grid)


def _raw(call: Call, acc: Scaled) -> Value:
    target = label(call)
    tensor = settle(call, acc, None, target, dtype=DType.INT32)
    return stored(acc, tensor, DType.INT32, target)


QOPERATORS: dict[str, Rule] = {
    "QLinearConv": conv,
    "QLinearMatMul": matmul,
    "ConvInteger": integer_conv,
    "MatMulInteger": integer_matmul,
    "com.microsoft.QGemm": gemm,
    "com.microsoft.QLinearAdd": arithmetic("add"),
    "com.microsoft.QLinearMul": arithmetic("mul"),
    "com.microsoft.QLinearAveragePool": average_pool,
    "com.microsoft.QLinearGlobalAveragePool": global_average_pool,
    "com.microsoft.QLinearConcat": concat,
    "com.microsoft.QLinearSoftmax": softmax_,
    "com.microsoft.QLinearSigmoid": unary("Sigmoid"),
    "com.microsoft.QLinearLeakyRelu": unary("LeakyRelu"),
}
