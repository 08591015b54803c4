"""Which kernel runs which layer."""

from __future__ import annotations

from collections.abc import Mapping

from htvm.api import InternalError, Layer, ops
from htvm_cpu import (
    convolution,
    dense,
    depthwise,
    elementwise,
    float_product,
    matmul,
    pooling,
    reduction,
    shaping,
    softmax,
    tail,
)
from htvm_cpu.kernel import Kernel
from htvm_cpu.pointwise import is_pointwise

_KERNELS: Mapping[type[ops.Op], Kernel] = {
    ops.Conv2d: convolution.KERNEL,
    ops.Dense: dense.KERNEL,
    ops.MatMul: matmul.KERNEL,
    ops.SumPool2d: pooling.KERNEL,
    ops.AvgPool2d: pooling.KERNEL,
    ops.MaxPool2d: pooling.KERNEL,
    ops.ReduceSum: reduction.KERNEL,
    ops.SoftmaxTable: softmax.KERNEL,
    ops.SoftmaxTflite: softmax.KERNEL,
    ops.QLinearSoftmax: softmax.KERNEL,
    ops.Pad: shaping.KERNEL,
    ops.Slice: shaping.KERNEL,
    ops.Concat: shaping.KERNEL,
}


def kernel_of(layer: Layer) -> Kernel:
    """The kernel of a layer that one of our patterns matched.

    Raises:
        InternalError: no kernel starts with the layer's first op.
    """
    first = layer.nodes[0]
    if layer.pattern == "tail":
        return tail.KERNEL
    if float_product.takes(layer):
        return float_product.KERNEL
    if is_pointwise(first):
        return elementwise.KERNEL
    kernel = _KERNELS.get(type(first.op))
    if kernel is None:
        raise InternalError(f"no kernel for {first.op.kind}", seen=layer.name)
    if isinstance(first.op, ops.Conv2d) and depthwise.takes(layer):
        return depthwise.KERNEL
    return kernel
