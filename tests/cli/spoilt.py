"""Small networks that something is wrong with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx


def network(
    *nodes: onnx.NodeProto,
    shape: tuple[int | str, ...] = (1, 4, 8, 8),
    weights: Mapping[str, np.ndarray[Any, Any]] | None = None,
    output: str = "y",
) -> onnx.ModelProto:
    """A float network with one input ``x``."""
    helper = onnx.helper
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
