"""The integer form: Conv or Gemm, Div by a power of two, Floor, Clip, carried in float32.

Every number in it is whole and below 2**24, so that a runtime that computes in float32 gets the
same as one that computes in integers, whatever order it sums in. Input and output are int8.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto

from htvm.ir.graph import Node
from htvm.ir.ops import Clip
from htvm.quantize.integer import IntegerNetwork, Step, clip_bounds
from htvm.quantize.network import Add, AvgPool, Conv, Dense, Sum
from htvm.quantize.offset import without_offsets
from htvm.quantize.write import moves
from htvm.quantize.write.model import ModelWriter


def integer_model(
    quantised: IntegerNetwork, metadata: Mapping[str, str] | None = None
) -> onnx.ModelProto:
    """The network as a model of standard operators.

    Args:
        quantised: The network, its sums proved to stay below 2**24.
        metadata: Properties to store beside the scales.
    """
    quantised = without_offsets(quantised)
    network = quantised.network
    names = [name for layer in network.layers for name in (layer.name, layer.output)]
    writer = ModelWriter(network.name, [*names, *network.inputs])
    held = {name: _opened(writer, name) for name in network.inputs}
    for layer in network.layers:
        output = layer.output
        if output == network.output:
            output = writer.fresh(f"{output}_float")
        _write(writer, quantised, layer, tuple(held[name] for name in layer.inputs), output)
        held[layer.output] = output
    result = network.output
    writer.node("Cast", (held[result],), result, to=TensorProto.INT8)
    scales = {
        "input_scale": repr(quantised.input_scale),
        "input_zero_point": str(quantised.input_zero),
        "output_scale": repr(quantised.output_scale),
    }
    return writer.model(
        {name: (network.shapes[name], "int8") for name in network.inputs},
        (result, network.shapes[result], "int8"),
        {**scales, **(metadata or {})},
    )


def _opened(writer: ModelWriter, name: str) -> str:
    return writer.node("Cast", (name,), writer.fresh(f"{name}_float"), to=TensorProto.FLOAT)


def _write(
    writer: ModelWriter,
    quantised: IntegerNetwork,
    layer: Node,
    inputs: tuple[str, ...],
    output: str,
) -> None:
    op = layer.op
    if moves.is_move(op):
        moves.move(writer, layer, inputs, output)
    elif isinstance(op, Clip):
        lo, hi = clip_bounds(op, quantised.scales[layer.output])
        moves.clip(writer, inputs[0], output, (lo, hi), layer.name)
    else:
        assert isinstance(op, Sum)
        acc = writer.fresh(f"{layer.output}_acc")
        _sum(writer, quantised, layer, inputs, acc)
        _requantise(writer, acc, output, layer.output, quantised.steps[layer.name])


def _sum(
    writer: ModelWriter,
    quantised: IntegerNetwork,
    layer: Node,
    inputs: tuple[str, ...],
    acc: str,
) -> None:
    op, name = layer.op, layer.name
    if isinstance(op, Conv):
        constants = _constants(writer, layer.output, op)
        writer.node("Conv", (*inputs, *constants), acc, name=name, **moves.conv_attributes(op))
    elif isinstance(op, Dense):
        _dense(writer, quantised, layer, inputs, acc)
    elif isinstance(op, Add):
        writer.node("Add", inputs, acc, name=name)
    else:
        assert isinstance(op, AvgPool)
        _pool(writer, quantised, layer, inputs, acc)


def _constants(writer: ModelWriter, owner: str, op: Conv | Dense) -> tuple[str, str]:
    return writer.constant(f"{owner}_w", op.weights), writer.constant(f"{owner}_b", op.bias)


def _dense(
    writer: ModelWriter,
    quantised: IntegerNetwork,
    layer: Node,
    inputs: tuple[str, ...],
    acc: str,
) -> None:
    op = layer.op
    assert isinstance(op, Dense)
    if len(quantised.network.shapes[layer.output]) == 2:
        constants = _constants(writer, layer.output, op)
        writer.node("Gemm", (*inputs, *constants), acc, name=layer.name, transB=1)
        return
    weights = writer.constant(f"{layer.output}_w", op.weights.T)
    product = writer.fresh(f"{layer.output}_product")
    writer.node("MatMul", (*inputs, weights), product, name=layer.name)
    writer.node("Add", (product, writer.constant(f"{layer.output}_b", op.bias)), acc)


def _pool(
    writer: ModelWriter,
    quantised: IntegerNetwork,
    layer: Node,
    inputs: tuple[str, ...],
    acc: str,
) -> None:
    """A sum without division: dividing by other than a power of two is not exact in float32."""
    op, shape = layer.op, quantised.network.shapes[layer.inputs[0]]
    assert isinstance(op, AvgPool)
    if moves.is_global(op, shape):
        axes = writer.constant(f"{layer.output}_axes", [2, 3], "int64")
        writer.node("ReduceSum", (*inputs, axes), acc, name=layer.name, keepdims=1)
        return
    ones = writer.constant(f"{layer.output}_ones", np.ones((shape[1], 1, *op.kernel)))
    frame = {"kernel_shape": op.kernel, "strides": op.stride, "pads": op.pad, "group": shape[1]}
    writer.node("Conv", (*inputs, ones), acc, name=layer.name, **frame)


def _requantise(writer: ModelWriter, acc: str, output: str, owner: str, step: Step) -> None:
    value = acc
    for kind, constant, neutral in (("Mul", step.mul, 1), ("Add", step.add, 0)):
        if constant != neutral:
            known = writer.constant(f"{owner}_{kind.lower()}", float(constant))
            value = writer.node(kind, (value, known), writer.fresh(f"{owner}_{kind.lower()}ed"))
    if step.shift:
        divisor = writer.constant(f"{owner}_div", 2.0**step.shift)
        quotient = writer.node("Div", (value, divisor), writer.fresh(f"{owner}_quotient"))
        value = writer.node("Floor", (quotient,), writer.fresh(f"{owner}_floor"))
    moves.clip(writer, value, output, (step.lo, step.hi))
