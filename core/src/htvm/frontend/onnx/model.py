"""An ONNX model as plain data: decoded, checked, and free of protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from htvm.ir.tensor import Array

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Array


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxNode:
    """One node of the source graph.

    Attributes:
        name: Unique; made from the op and the output where the file gives none.
        op: Op type, with its domain in front unless that is ONNX's own.
        inputs: Tensor names, ``""`` for an absent one.
        outputs: Tensor names, ``""`` for an absent one.
        attributes: By name.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input of the network.

    Attributes:
        name: Tensor name.
        dtype: numpy's name of the declared element type.
        shape: Every dimension known.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A checked model.

    Attributes:
        path: The file.
        opset: Version of ONNX's own operators.
        inputs: What the caller gives.
        output: Name of the tensor the caller gets.
        nodes: In an order in which they can run.
        constants: Initializers by name.
        metadata: The model's key-value properties.
        producer: The program that wrote the file.
    """

    path: Path
    opset: int
    inputs: tuple[Port, ...]
    output: str
    nodes: tuple[OnnxNode, ...]
    constants: Mapping[str, Array]
    metadata: Mapping[str, str]
    producer: str = ""
