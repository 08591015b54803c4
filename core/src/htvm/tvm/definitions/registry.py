"""Which definition belongs to which op."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from htvm.errors import InternalError
from htvm.ir import ops
from htvm.ir.graph import Node
from htvm.tvm.definitions import elementwise, pooling, products, shaping, softmax
from htvm.tvm.definitions.builder import Builder
from htvm.tvm.definitions.requantise import REQUANTS

DEFINITIONS: dict[type[ops.Op], Callable[..., Any]] = {
    ops.Conv2d: products.conv2d,
    ops.Dense: products.dense,
    ops.FloatConv2d: products.float_conv2d,
    ops.FloatDense: products.float_dense,
    ops.MatMul: products.matmul,
    ops.Elementwise: elementwise.elementwise,
    ops.Clip: elementwise.clip,
    ops.Cast: elementwise.convert,
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
    ops.Slice: shaping.cut,
    ops.Concat: shaping.concat,
    ops.SoftmaxTflite: softmax.softmax_tflite,
    ops.SoftmaxTable: softmax.softmax_table,
    ops.QLinearSoftmax: softmax.qlinear_softmax,
    **REQUANTS,
}


def define(builder: Builder, nodes: Iterable[Node]) -> Any:
    """Define a chain of nodes; the tensor expression of the last one."""
    stage = None
    for node in nodes:
        definition = DEFINITIONS.get(type(node.op))
        if definition is None:
            raise InternalError(f"no tensor expression for the op {node.op.kind}", seen=node.name)
        builder.enter(node)
        stage = definition(builder, node, node.op)
        builder.finish(node, stage)
    return stage
