"""QDQ: every tensor through QuantizeLinear and DequantizeLinear, weights stored as int8."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import onnx

from htvm.ir.graph import Node
from htvm.quantization.asymmetric import QdqNetwork
from htvm.quantization.network import Linear
from htvm.quantization.rounding import Doubles
from htvm.quantization.write import reals
from htvm.quantization.write.meanings import factor_properties, name_properties
from htvm.quantization.write.model import ModelWriter


def qdq_model(quantised: QdqNetwork, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """The network as a model of standard operators, float at both ends.

    Args:
        quantised: The network.
        metadata: Properties to store.
    """
    network = quantised.network
    names = [name for layer in network.layers for name in (layer.name, layer.output)]
    writer = ModelWriter(network.name, [*names, *network.inputs])
    held = _Held(writer, quantised)
    for name in network.inputs:
        held.given(name)
    for layer in network.layers:
        made = held.result(layer.output)
        _write(writer, quantised, layer, held.operands(layer), made)
        held.made(layer.output, made)
    return writer.model(
        {name: (network.shapes[name], "float32") for name in network.inputs},
        (network.output, network.shapes[network.output], "float32"),
        {
            **factor_properties(network),
            **name_properties(held.results()),
            **(metadata or {}),
        },
    )


class _Held:
    """Under which names the file has each tensor: as computed, as int8, and as that stands for."""

    def __init__(self, writer: ModelWriter, quantised: QdqNetwork) -> None:
        self._writer = writer
        self._quantised = quantised
        self._integers: dict[str, str] = {}
        self._rounded: dict[str, str] = {}
        self._for_real: dict[str, str] = {}

    def given(self, name: str) -> None:
        """An input."""
        if name not in self._quantised.real_tensors:
            self._round(name, name, self._writer.fresh(f"{name}_real"))

    def result(self, tensor: str) -> str:
        """What a layer is to call its result."""
        real = tensor in self._quantised.real_tensors
        return tensor if real else self._writer.fresh(f"{tensor}_raw")

    def made(self, tensor: str, result: str) -> None:
        """A layer has written its result."""
        if result != tensor:
            self._round(tensor, result, tensor)

    def results(self) -> dict[str, str]:
        """The int8 form of every layer's result, and what the source calls it."""
        inputs = self._quantised.network.inputs
        return {ours: name for name, ours in self._integers.items() if name not in inputs}

    def operands(self, layer: Node) -> tuple[str, ...]:
        """What a layer reads."""
        pick = self._for_real_layer if layer.name in self._quantised.real else self._for_layer
        return tuple(pick(name) for name in layer.inputs)

    def _for_layer(self, name: str) -> str:
        if name not in self._rounded:
            self._round(name, name, self._writer.fresh(f"{name}_rounded"))
        return self._rounded[name]

    def _for_real_layer(self, name: str) -> str:
        if name in self._quantised.real_tensors:
            return name
        if name not in self._for_real:
            grid = self._quantised.grids[name]
            self._for_real[name] = reals.dequantised(
                self._writer,
                self._integers[name],
                name,
                (grid.scale, grid.zero_point),
                self._quantised.network.shapes[name][1],
            )
        return self._for_real[name]

    def _round(self, tensor: str, x: str, output: str) -> None:
        grid = self._quantised.grids[tensor]
        self._integers[tensor], self._rounded[tensor] = reals.rounded(
            self._writer, x, output, grid.scale, grid.zero_point
        )


def _write(
    writer: ModelWriter, quantised: QdqNetwork, layer: Node, inputs: tuple[str, ...], output: str
) -> None:
    rank = len(quantised.network.shapes[layer.output])
    op = layer.op
    constants: tuple[str, ...] = ()
    if isinstance(op, Linear):
        real = layer.name in quantised.real
        make = reals.constants if real else partial(_constants, quantised=quantised)
        constants = make(writer, layer)
    reals.real_layer(writer, layer, (*inputs, *constants), output, rank)


def _constants(writer: ModelWriter, layer: Node, *, quantised: QdqNetwork) -> tuple[str, str]:
    op = layer.op
    assert isinstance(op, Linear)
    ends = quantised.weight_scales[layer.name], quantised.bias_scales[layer.name]
    weights = _constant(writer, f"{layer.output}_w", op.weights, ends[0], "int8")
    return weights, _constant(writer, f"{layer.output}_b", op.bias, ends[1], "int32")


def _constant(
    writer: ModelWriter,
    wanted: str,
    value: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    scale: Doubles,
    dtype: str,
) -> str:
    one = scale.size == 1
    factor = writer.constant(f"{wanted}_scale", scale[0] if one else scale)
    zero = writer.constant(f"{wanted}_zero", 0 if one else np.zeros(scale.size), dtype)
    stored = writer.constant(f"{wanted}_{dtype}", value, dtype)
    inputs = (stored, factor, zero)
    return writer.node("DequantizeLinear", inputs, writer.fresh(wanted), axis=0)
