"""The integer form: Conv or Gemm, Div by a power of two, Floor, Clip, carried in float32.

Every number in it is whole and below 2**24, so that a runtime that computes in float32 gets the
same as one that computes in integers, whatever order it sums in. Input and output are int8.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto

from htvm.ir.dtype import DType
from htvm.ir.graph import Node
from htvm.ir.ops import Clip
from htvm.quantization.integer import IntegerNetwork, Step, clip_bounds
from htvm.quantization.network import Add, AvgPool, Conv, Dense, Linear, Sum
from htvm.quantization.offset import without_offsets, zero_points
from htvm.quantization.write import moves, reals
from htvm.quantization.write.meanings import factor_properties, scale_properties
from htvm.quantization.write.model import ModelWriter


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
    held = _Held(writer, quantised)
    for layer in network.layers:
        result = held.result(layer.output)
        _write(writer, quantised, layer, held.operands(layer), result)
        held.made(layer.output, result)
    held.returned(network.output)
    return writer.model(
        {name: (network.shapes[name], _dtype(quantised, name)) for name in network.inputs},
        (network.output, network.shapes[network.output], _dtype(quantised, network.output)),
        {**_meanings(quantised), **(metadata or {})},
    )


def _dtype(quantised: IntegerNetwork, name: str) -> str:
    return "float32" if name in quantised.real_tensors else "int8"


def _meanings(quantised: IntegerNetwork) -> dict[str, str]:
    """What the integers stand for."""
    network, real = quantised.network, quantised.real_tensors
    found = {}
    if not real.isdisjoint(network.inputs):
        found["input_type"] = "float32"
    if network.inputs[0] not in real:
        found["input_scale"] = repr(quantised.input_scale)
        found["input_zero_point"] = str(quantised.input_zero)
    if network.output not in real:
        found["output_scale"] = repr(quantised.output_scale)
    otherwise = real | zero_points(quantised).keys()
    whole = [layer.output for layer in network.layers if layer.output not in otherwise]
    scales = {name: quantised.scales[name] for name in whole}
    return {**found, **scale_properties(scales), **factor_properties(network)}


class _Held:
    """Under which names the file has each tensor, as whole numbers and as real ones."""

    def __init__(self, writer: ModelWriter, quantised: IntegerNetwork) -> None:
        self._writer = writer
        self._quantised = quantised
        self._zeros = zero_points(quantised)
        self._whole: dict[str, str] = {}
        self._real: dict[str, str] = {}

    def result(self, tensor: str) -> str:
        """What a layer is to call its result."""
        last = tensor == self._quantised.network.output
        if last and not self._is_real(tensor):
            return self._writer.fresh(f"{tensor}_float")
        return tensor

    def made(self, tensor: str, result: str) -> None:
        """A layer has written its result."""
        (self._real if self._is_real(tensor) else self._whole)[tensor] = result

    def operands(self, layer: Node) -> tuple[str, ...]:
        """What a layer reads, in the numbers it computes with."""
        known = self._real if layer.name in self._quantised.real else self._whole
        make = self._as_real if layer.name in self._quantised.real else self._as_whole
        for name in layer.inputs:
            if name not in known:
                known[name] = make(name)
        return tuple(known[name] for name in layer.inputs)

    def returned(self, tensor: str) -> None:
        """Write the output."""
        if not self._is_real(tensor):
            self._cast(self._whole[tensor], tensor, TensorProto.INT8)

    def _is_real(self, tensor: str) -> bool:
        return tensor in self._quantised.real_tensors

    def _as_whole(self, name: str) -> str:
        """An input of int8, or real numbers rounded."""
        if not self._is_real(name):
            return self._cast(name, self._writer.fresh(f"{name}_float"), TensorProto.FLOAT)
        scale, bounds = self._quantised.scales[name], self._quantised.bounds
        integers = reals.quantised(self._writer, self._real.get(name, name), name, scale)
        whole = self._cast(integers, self._writer.fresh(f"{name}_float"), TensorProto.FLOAT)
        if bounds == DType.INT8.bounds:
            return whole
        clipped = self._writer.fresh(f"{name}_clipped")
        moves.clip(self._writer, whole, clipped, bounds)
        return clipped

    def _as_real(self, name: str) -> str:
        """An input that is given so, or what whole numbers stand for."""
        if self._is_real(name):
            return name
        network, integers = self._quantised.network, name
        if name not in network.inputs:
            wanted = self._writer.fresh(f"{name}_whole")
            integers = self._cast(self._whole[name], wanted, TensorProto.INT8)
        grid = self._quantised.scales[name], self._zeros.get(name, 0)
        return reals.dequantised(self._writer, integers, name, grid, network.shapes[name][1])

    def _cast(self, x: str, output: str, to: int) -> str:
        return self._writer.node("Cast", (x,), output, to=to)


def _write(
    writer: ModelWriter,
    quantised: IntegerNetwork,
    layer: Node,
    inputs: tuple[str, ...],
    output: str,
) -> None:
    op = layer.op
    if layer.name in quantised.real:
        constants = reals.constants(writer, layer) if isinstance(op, Linear) else ()
        rank = len(quantised.network.shapes[layer.output])
        reals.real_layer(writer, layer, (*inputs, *constants), output, rank)
    elif moves.is_move(op):
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
