"""From an ONNX file to the integer graph."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np

from htvm.frontend import refuse
from htvm.frontend.onnx.carried import (
    CARRIED,
    CARRIED_WITH_ISLANDS,
    carried_inputs,
    carried_output,
)
from htvm.frontend.onnx.carried_islands import has_islands
from htvm.frontend.onnx.load import load
from htvm.frontend.onnx.model import Model, Port
from htvm.frontend.onnx.rules import RULES
from htvm.frontend.onnx.values import Stored, Value
from htvm.frontend.onnx.walk import float_output, name_output, walk
from htvm.frontend.source import Source
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Origin

_QDQ = frozenset({"QuantizeLinear", "DequantizeLinear"})
_LINEAR = frozenset({"Conv", "Gemm", "MatMul"})
_BUDGET = "accuracy_budget"
"""Property of files from a quantiser that may leave layers in float, and at the end all of them."""
_INTEGER = frozenset({"ConvInteger", "MatMulInteger", "com.microsoft.QGemm"})


def integerise(source: Source) -> Graph:
    """The integer graph of an ONNX network.

    Raises:
        UsageError: the file is damaged, or its external data cannot be used.
        UnsupportedModelError: the network holds something that cannot be taken.
    """
    model = load(source)
    kind = family(model)
    if kind == "onnx-integer":
        rules = CARRIED_WITH_ISLANDS if has_islands(model) else CARRIED
        done = walk(model, rules, carried_inputs(model))
        tensor = carried_output(done)
    else:
        done = walk(model, RULES, {port.name: _input(port) for port in model.inputs})
        tensor = float_output(done)
    output = name_output(done, tensor, model.output)
    origin = Origin(
        path=source.file_name,
        format=kind,
        sha256=source.sha256,
        details={"opset": str(model.opset), "producer": model.producer},
        metadata=model.metadata,
    )
    return done.builder.graph(identifier(source.path), output, origin)


def family(model: Model) -> Literal["onnx-qdq", "onnx-qoperator", "onnx-integer", "onnx-float"]:
    """The form the network's integers come in; a file that says it is meant to has none.

    Raises:
        UnsupportedModelError: nothing in it is quantised (E201).
    """
    found = {node.op for node in model.nodes}
    if found & _INTEGER or any("QLinear" in op for op in found):
        return "onnx-qoperator"
    if found & _QDQ:
        return "onnx-integer" if has_islands(model) else "onnx-qdq"
    if _is_left_float(model):
        return "onnx-float"
    weights = [name for node in model.nodes if node.op in _LINEAR for name in node.inputs[1:2]]
    arrays = [model.constants[name] for name in weights if name in model.constants]
    whole = all(bool((array == np.rint(array)).all()) for array in arrays)
    if whole and (arrays or "Floor" in found):
        return "onnx-integer"
    seen = f"{len(model.nodes)} nodes, none of them quantised; float weights"
    raise refuse.float_network(model.path, seen)


def _is_left_float(model: Model) -> bool:
    """Whether our quantiser quantised nothing in the end; float weights may be whole, too.

    What it quantises reads integers, be it only from a QuantizeLinear.
    """
    return _BUDGET in model.metadata and any(port.dtype == "float32" for port in model.inputs)


def identifier(path: Path) -> str:
    """A C identifier made from a file name."""
    name = re.sub(r"\W", "_", path.stem, flags=re.ASCII).strip("_") or "network"
    return f"n{name}" if name[0].isdigit() else name


def _input(port: Port) -> Value:
    if port.dtype not in {"float32", "int8", "uint8"}:
        accepted = "float32, int8 or uint8"
        raise refuse.unsupported_use(port.name, "input", f"type {port.dtype}", accepted)
    return Stored(shape=port.shape, name=port.name, tensor=port.name, dtype=DType(port.dtype))
