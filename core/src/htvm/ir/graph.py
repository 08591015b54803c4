"""The integer graph: a list of nodes in execution order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from htvm.ir.ops import Op
from htvm.ir.tensor import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """One op applied to named tensors.

    Attributes:
        name: Unique in its graph.
        op: What is computed.
        inputs: Names of the tensors read, in the op's order.
        output: Name of the tensor written.
        source: Names of the source network's nodes this one stands for.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    output: str
    source: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a graph came from.

    Attributes:
        path: File name without its folder.
        format: Family of the file, for example ``"onnx-qdq"`` or ``"tflite-int8"``.
        sha256: Digest of the file's bytes.
        details: Facts to show, such as the opset.
        metadata: Properties stored in the file.
    """

    path: str
    format: Literal[
        "onnx-qdq", "onnx-qoperator", "onnx-integer", "onnx-float", "tflite-int8", "built"
    ]
    sha256: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """An integer network.

    Attributes:
        name: A C identifier made from the file's name.
        inputs: Names of the tensors the caller gives.
        outputs: Names of the tensors the caller gets.
        nodes: In an order in which they can run.
        tensors: Every tensor by name, constants included.
        origin: The file it was read from.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    origin: Origin

    @cached_property
    def producers(self) -> Mapping[str, Node]:
        """The node that writes each computed tensor."""
        return {node.output: node for node in self.nodes}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes that read each tensor, in execution order; each node once."""
        found: dict[str, list[Node]] = {name: [] for name in self.tensors}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}
