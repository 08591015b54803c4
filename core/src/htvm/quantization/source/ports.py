"""What the inputs of a network take that another one was quantised from."""

from __future__ import annotations

from collections.abc import Mapping

from htvm.frontend.source import Source
from htvm.host.values import Port
from htvm.ir.dtype import DType
from htvm.ir.tensor import Quantization
from htvm.quantization.network import Hint
from htvm.quantization.source.read import float_network

_TYPES = {"UINT8": DType.UINT8, "INT8": DType.INT8, "uint8": DType.UINT8, "int8": DType.INT8}
"""By TFLite's and ONNX's names."""


def source_ports(source: Source) -> dict[str, Port]:
    """The inputs of a network as it was before it was quantised.

    Raises:
        HtvmError: The network cannot be read.
    """
    declared = _declared(source)
    hints: Mapping[str, Hint] = {}
    if any(dtype.is_integer for dtype in declared.values()):
        hints = float_network(source).hints
    ports = {}
    for name, dtype in declared.items():
        hint = hints.get(name)
        meaning = None
        if dtype.is_integer and hint is not None:
            meaning = Quantization(scale=(hint.scale,), zero_point=hint.zero_point)
        ports[name] = Port(name=name, dtype=dtype, quantization=meaning)
    return ports


def _declared(source: Source) -> dict[str, DType]:
    """Element type of every input; one that is no eight-bit integer is given in float."""
    if source.format == "tflite":
        from htvm.frontend.tflite.decode import decode

        file = decode(source)
        types = ((file.tensors[index].name, file.tensors[index].type) for index in file.inputs)
        return {name: _TYPES.get(kind, DType.FLOAT32) for name, kind in types}
    from htvm.frontend.onnx.load import load

    return {port.name: _TYPES.get(port.dtype, DType.FLOAT32) for port in load(source).inputs}
