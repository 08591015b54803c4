"""The integer reference: what every tensor of a graph must hold, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from htvm.errors import InternalError
from htvm.ir import ops, requant
from htvm.ir.graph import Graph, Node
from htvm.ir.ops import Op
from htvm.ir.tensor import Array
from htvm.numerics import (
    convolution,
    elementwise,
    float_sums,
    pooling,
    requantise,
    shaping,
    softmax,
)
from htvm.numerics.arithmetic import Numbers
from htvm.numerics.batching import batched, can_batch
from htvm.numerics.check import count_samples

_KERNELS: Mapping[type[Op], Callable[..., Numbers]] = {
    ops.Conv2d: convolution.conv2d,
    ops.Dense: convolution.dense,
    ops.FloatConv2d: float_sums.float_conv2d,
    ops.FloatDense: float_sums.float_dense,
    ops.MatMul: convolution.matmul,
    ops.Elementwise: elementwise.elementwise,
    ops.Clip: elementwise.clip,
    ops.Cast: elementwise.cast,
    ops.Lut: elementwise.lut,
    ops.Quantize: elementwise.quantize,
    ops.Dequantize: elementwise.dequantize,
    ops.MaxPool2d: pooling.max_pool2d,
    ops.SumPool2d: pooling.sum_pool2d,
    ops.AvgPool2d: pooling.avg_pool2d,
    ops.ReduceSum: pooling.reduce_sum,
    ops.Transpose: shaping.transpose,
    ops.Reshape: shaping.reshape,
    ops.Pad: shaping.pad,
    ops.Slice: shaping.slice_,
    ops.Concat: shaping.concat,
    ops.SoftmaxTflite: softmax.softmax_tflite,
    ops.SoftmaxTable: softmax.softmax_table,
    ops.QLinearSoftmax: softmax.qlinear_softmax,
    requant.ShiftRequant: requantise.shift_requant,
    requant.Mulshift31Requant: requantise.mulshift31_requant,
    requant.TfliteRequant: requantise.tflite_requant,
    requant.FloatRequant: requantise.float_requant,
}


def execute(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Run a graph, exactly as the docstrings of its ops define it.

    Independent of everything that generates code. Several samples may be given at once,
    concatenated along axis 0: where the graph's input is ``(1, 3, 8, 8)``, the array may be
    ``(N, 3, 8, 8)``. They run side by side where every op keeps axis 0 apart, else one by one.

    Args:
        graph: The network.
        inputs: An array for every input of the graph, of its element type.

    Returns:
        Every computed tensor by name, samples concatenated along axis 0. Graph inputs and
        constants are not among them.

    Raises:
        UsageError: an input is missing, unknown, or of the wrong type or shape.
    """
    samples = count_samples(graph, inputs)
    if samples == 1 or can_batch(graph):
        return _run(graph, inputs, samples)
    results = [_run(graph, _sample(graph, inputs, index), 1) for index in range(samples)]
    return {
        node.output: np.concatenate([np.atleast_1d(result[node.output]) for result in results])
        for node in graph.nodes
    }


def apply(op: Op, *operands: Array) -> Array:
    """Run one op on arrays.

    Raises:
        InternalError: the op has no kernel here.
    """
    kernel = _KERNELS.get(type(op))
    if kernel is None:
        raise InternalError(f"the reference has no kernel for op {type(op).__name__}")
    return kernel(op, *operands)


def _sample(graph: Graph, inputs: Mapping[str, Array], index: int) -> dict[str, Array]:
    sizes = {name: graph.tensors[name].shape[0] for name in graph.inputs}
    return {name: inputs[name][index * size : (index + 1) * size] for name, size in sizes.items()}


def _run(graph: Graph, inputs: Mapping[str, Array], samples: int) -> dict[str, Array]:
    values = {name: t.value for name, t in graph.tensors.items() if t.value is not None}
    values.update(inputs)
    computed = {}
    for node in graph.nodes:
        op = node.op if samples == 1 else batched(node.op, samples)
        result = apply(op, *(values[name] for name in node.inputs))
        _check_result(graph, node, result, samples)
        values[node.output] = computed[node.output] = result
    return computed


def _check_result(graph: Graph, node: Node, result: Array, samples: int) -> None:
    """Hold the graph's declared shapes and types against what was computed."""
    tensor = graph.tensors[node.output]
    shape = tensor.shape if samples == 1 else (samples, *tensor.shape[1:])
    if result.shape != shape or result.dtype != tensor.dtype.numpy:
        raise InternalError(
            f"node {node.name} ({node.op.kind}) computes another tensor than the graph declares",
            seen=f"{result.dtype} {result.shape}",
            accepted=f"{tensor.dtype} {shape}",
        )
