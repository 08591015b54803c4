"""Collects nodes and constants of an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET = 13
_IR_VERSION = 8
_BATCH = "N"
_TYPES = {"float32": TensorProto.FLOAT, "int8": TensorProto.INT8}


class ModelWriter:
    """A model under construction.

    Args:
        name: Of the graph.
        reserved: Names of the source's nodes and tensors, which no made-up name may take.
    """

    def __init__(self, name: str, reserved: Sequence[str]) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._taken = set(reserved)

    def fresh(self, wanted: str) -> str:
        """A name nobody uses."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name

    def constant(self, wanted: str, value: npt.ArrayLike, dtype: str = "float32") -> str:
        """Add a constant; returns its name."""
        name = self.fresh(wanted)
        array = np.asarray(value).astype(dtype)
        self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def node(
        self, kind: str, inputs: Sequence[str], output: str, *, name: str = "", **attributes: Any
    ) -> str:
        """Add a node; returns its output."""
        label = name or self.fresh(f"{output}_{kind.lower()}")
        self._nodes.append(helper.make_node(kind, list(inputs), [output], label, **attributes))
        return output

    def model(
        self,
        inputs: Mapping[str, tuple[tuple[int, ...], str]],
        output: tuple[str, tuple[int, ...], str],
        metadata: Mapping[str, str],
    ) -> onnx.ModelProto:
        """The finished, checked model; axis 0 of inputs and output is left open."""
        graph = helper.make_graph(
            self._nodes,
            self._name,
            [_port(name, shape, dtype) for name, (shape, dtype) in inputs.items()],
            [_port(*output)],
            list(self._constants.values()),
        )
        model = helper.make_model(
            graph,
            producer_name="htvm",
            producer_version=version("htvm-core"),
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid("", _OPSET)],
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model)
        return model


def _port(name: str, shape: tuple[int, ...], dtype: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _TYPES[dtype], [_BATCH, *shape[1:]])
