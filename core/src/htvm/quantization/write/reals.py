"""Layers of real numbers, as both written forms hold them."""

from __future__ import annotations

from math import inf

import numpy as np

from htvm.ir.graph import Node
from htvm.ir.ops import Clip
from htvm.quantization.network import Add, AvgPool, Conv, Dense, Linear, Sum
from htvm.quantization.write import moves
from htvm.quantization.write.model import ModelWriter


def real_layer(
    writer: ModelWriter, layer: Node, inputs: tuple[str, ...], output: str, rank: int
) -> None:
    """Write a layer that computes with real numbers.

    Args:
        writer: Where to.
        layer: The layer.
        inputs: Tensors of real numbers, weights as the op holds them and bias among them.
        output: Name of the result.
        rank: Number of its dimensions.
    """
    op = layer.op
    if moves.is_move(op):
        moves.move(writer, layer, inputs, output)
    elif isinstance(op, Clip):
        moves.clip(writer, inputs[0], output, (op.lo, op.hi), layer.name)
    else:
        assert isinstance(op, Sum)
        bare = (op.lo, op.hi) == (-inf, inf)
        total = output if bare else writer.fresh(f"{layer.output}_sum")
        _sum(writer, layer, inputs, total, rank)
        if (op.lo, op.hi) == (0.0, inf):
            writer.node("Relu", (total,), output)
        elif not bare:
            moves.clip(writer, total, output, (op.lo, op.hi))


def constants(writer: ModelWriter, layer: Node) -> tuple[str, str]:
    """Weights and bias in real numbers."""
    op, owner = layer.op, layer.output
    assert isinstance(op, Linear)
    return writer.constant(f"{owner}_w", op.weights), writer.constant(f"{owner}_b", op.bias)


def _sum(writer: ModelWriter, layer: Node, inputs: tuple[str, ...], total: str, rank: int) -> None:
    op, name = layer.op, layer.name
    if isinstance(op, Conv):
        writer.node("Conv", inputs, total, name=name, **moves.conv_attributes(op))
    elif isinstance(op, Dense) and rank == 2:
        writer.node("Gemm", inputs, total, name=name, transB=1)
    elif isinstance(op, Dense):
        x, weights, bias = inputs
        turned = writer.node("Transpose", (weights,), writer.fresh(f"{weights}_t"), perm=(1, 0))
        product = writer.fresh(f"{layer.output}_product")
        writer.node("MatMul", (x, turned), product, name=name)
        writer.node("Add", (product, bias), total)
    elif isinstance(op, Add):
        writer.node("Add", inputs, total, name=name)
    else:
        assert isinstance(op, AvgPool)
        frame = {"kernel_shape": op.kernel, "strides": op.stride, "pads": op.pad}
        writer.node("AveragePool", inputs, total, name=name, count_include_pad=1, **frame)


def rounded(
    writer: ModelWriter, x: str, output: str, scale: float, zero_point: int
) -> tuple[str, str]:
    """Write the rounding of real numbers to those int8 can stand for; returns int8 and real."""
    grid = _grid(writer, output, scale, zero_point)
    integers = writer.node("QuantizeLinear", (x, *grid), writer.fresh(f"{output}_int8"))
    return integers, writer.node("DequantizeLinear", (integers, *grid), output)


def quantised(writer: ModelWriter, x: str, owner: str, scale: float) -> str:
    """Write the rounding of real numbers to int8; returns the integers."""
    grid = _grid(writer, owner, scale, 0)
    return writer.node("QuantizeLinear", (x, *grid), writer.fresh(f"{owner}_int8"))


def dequantised(
    writer: ModelWriter, integers: str, owner: str, grid: tuple[float, int], channels: int
) -> str:
    """Write what int8 stands for, for layers with real weights; returns the real numbers.

    onnxruntime quantises the weights of a convolution between a DequantizeLinear with one scale
    and a QuantizeLinear, whoever meant them to stay real. One with a scale for each channel it
    leaves alone, so the one there is is repeated.

    Args:
        writer: Where to.
        integers: What to read.
        owner: The tensor's name.
        grid: Scale and zero point.
        channels: Extent of the tensor's axis 1.
    """
    scale, zero_point = grid
    constants = (
        writer.constant(f"{owner}_scales", np.full(channels, scale)),
        writer.constant(f"{owner}_zeros", np.full(channels, zero_point), "int8"),
    )
    output = writer.fresh(f"{owner}_real")
    return writer.node("DequantizeLinear", (integers, *constants), output, axis=1)


def _grid(writer: ModelWriter, owner: str, scale: float, zero_point: int) -> tuple[str, str]:
    return (
        writer.constant(f"{owner}_scale", scale),
        writer.constant(f"{owner}_zero", zero_point, "int8"),
    )
