"""QDQ: every tensor through QuantizeLinear and DequantizeLinear, weights stored as int8."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from htvm.ir.graph import Node
from htvm.ir.ops import Clip
from htvm.quantize.asymmetric import Grid, QdqNetwork
from htvm.quantize.network import Add, AvgPool, Conv, Dense, Linear, Sum
from htvm.quantize.rounding import Doubles
from htvm.quantize.write import moves
from htvm.quantize.write.model import ModelWriter


def qdq_model(quantised: QdqNetwork, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """The network as a model of standard operators, float at both ends.

    Args:
        quantised: The network.
        metadata: Properties to store.
    """
    network = quantised.network
    names = [name for layer in network.layers for name in (layer.name, layer.output)]
    writer = ModelWriter(network.name, [*names, *network.inputs])
    held = {
        name: _quantised(writer, name, writer.fresh(f"{name}_real"), quantised.grids[name])
        for name in network.inputs
    }
    for layer in network.layers:
        raw = writer.fresh(f"{layer.output}_raw")
        _write(writer, quantised, layer, tuple(held[name] for name in layer.inputs), raw)
        held[layer.output] = _quantised(writer, raw, layer.output, quantised.grids[layer.output])
    return writer.model(
        {name: (network.shapes[name], "float32") for name in network.inputs},
        (network.output, network.shapes[network.output], "float32"),
        metadata or {},
    )


def _quantised(writer: ModelWriter, x: str, output: str, grid: Grid) -> str:
    scale = writer.constant(f"{output}_scale", np.float32(grid.scale))
    zero = writer.constant(f"{output}_zero", grid.zero_point, "int8")
    integers = writer.node("QuantizeLinear", (x, scale, zero), writer.fresh(f"{output}_int8"))
    return writer.node("DequantizeLinear", (integers, scale, zero), output)


def _write(
    writer: ModelWriter, quantised: QdqNetwork, layer: Node, inputs: tuple[str, ...], raw: str
) -> None:
    op = layer.op
    if moves.is_move(op):
        moves.move(writer, layer, inputs, raw)
        return
    if isinstance(op, Clip):
        moves.clip(writer, inputs[0], raw, (op.lo, op.hi), layer.name)
        return
    assert isinstance(op, Sum)
    bounded = np.isfinite((op.lo, op.hi)).any()
    total = writer.fresh(f"{layer.output}_sum") if bounded else raw
    _sum(writer, quantised, layer, inputs, total)
    if bounded and (op.lo, op.hi) == (0.0, np.inf):
        writer.node("Relu", (total,), raw)
    elif bounded:
        moves.clip(writer, total, raw, (op.lo, op.hi))


def _sum(
    writer: ModelWriter, quantised: QdqNetwork, layer: Node, inputs: tuple[str, ...], total: str
) -> None:
    op, name = layer.op, layer.name
    if isinstance(op, Conv):
        constants = _constants(writer, quantised, layer, op)
        attributes = moves.conv_attributes(op)
        writer.node("Conv", (*inputs, *constants), total, name=name, **attributes)
    elif isinstance(op, Dense):
        _dense(writer, quantised, layer, inputs, total)
    elif isinstance(op, Add):
        writer.node("Add", inputs, total, name=name)
    else:
        assert isinstance(op, AvgPool)
        frame = {"kernel_shape": op.kernel, "strides": op.stride, "pads": op.pad}
        writer.node("AveragePool", inputs, total, name=name, count_include_pad=1, **frame)


def _dense(
    writer: ModelWriter, quantised: QdqNetwork, layer: Node, inputs: tuple[str, ...], total: str
) -> None:
    op = layer.op
    assert isinstance(op, Dense)
    weights, bias = _constants(writer, quantised, layer, op)
    if len(quantised.network.shapes[layer.output]) == 2:
        writer.node("Gemm", (*inputs, weights, bias), total, name=layer.name, transB=1)
        return
    turned = writer.node("Transpose", (weights,), writer.fresh(f"{weights}_t"), perm=(1, 0))
    product = writer.fresh(f"{layer.output}_product")
    writer.node("MatMul", (*inputs, turned), product, name=layer.name)
    writer.node("Add", (product, bias), total)


def _constants(
    writer: ModelWriter, quantised: QdqNetwork, layer: Node, op: Linear
) -> tuple[str, str]:
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
