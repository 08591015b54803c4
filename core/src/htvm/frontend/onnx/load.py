"""Decodes an ONNX file and checks what no later step should have to doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from htvm.frontend import refuse
from htvm.frontend.onnx.arrays import element_type, to_array
from htvm.frontend.onnx.model import Attribute, Model, OnnxNode, Port
from htvm.frontend.source import Source
from htvm.ir.tensor import Array

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto

_OWN_DOMAINS = frozenset({"", "ai.onnx"})
_OLDEST_OPSET = 7
_SIMPLE: dict[int, Callable[[AttributeProto], Attribute]] = {
    1: lambda attribute: float(attribute.f),
    2: lambda attribute: int(attribute.i),
    3: lambda attribute: attribute.s.decode("utf-8", "replace"),
    6: lambda attribute: tuple(attribute.floats),
    7: lambda attribute: tuple(attribute.ints),
    8: lambda attribute: tuple(text.decode("utf-8", "replace") for text in attribute.strings),
}
"""By the number of the attribute's type."""


def load(source: Source) -> Model:
    """The model in an ONNX file.

    Raises:
        UsageError: the file is damaged, or its external data cannot be used.
        UnsupportedModelError: the graph is malformed, dynamic, or holds what is never taken.
    """
    proto = _decode(source)
    graph = proto.graph
    folder = source.path.parent
    if not graph.node:
        raise refuse.malformed(source.path, "no nodes", "a graph with nodes")
    if graph.sparse_initializer:
        name = graph.sparse_initializer[0].values.name
        raise refuse.unsupported_use(name, "sparse initializer", "sparse", "dense weights")
    constants = {tensor.name: to_array(tensor, folder) for tensor in graph.initializer}
    inputs = [info for info in graph.input if info.name not in constants]
    _check_names(source.path, [item.name for item in (*graph.initializer, *inputs)])
    _check_shape_options(source, [info.name for info in inputs])
    nodes = tuple(_nodes(graph, folder))
    _check_order(source.path, nodes, {*constants, *(info.name for info in inputs)})
    return Model(
        path=source.path,
        opset=_opset(proto, source.path),
        inputs=tuple(_port(info, source.shapes.get(info.name)) for info in inputs),
        output=_output(graph, source.path),
        nodes=nodes,
        constants=constants,
        metadata={entry.key: entry.value for entry in proto.metadata_props},
        producer=f"{proto.producer_name} {proto.producer_version}".strip(),
    )


def _decode(source: Source) -> ModelProto:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import ModelProto as Proto

    try:
        proto: ModelProto = Proto.FromString(source.data)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise refuse.corrupt(source.path, str(error) or "not a complete ONNX model") from error
    if not proto.HasField("graph"):
        raise refuse.corrupt(source.path, "no graph in the model")
    return proto


def _opset(proto: ModelProto, path: Path) -> int:
    from onnx.defs import onnx_opset_version

    versions = [entry.version for entry in proto.opset_import if entry.domain in _OWN_DOMAINS]
    newest = onnx_opset_version()
    if not versions or not _OLDEST_OPSET <= max(versions) <= newest:
        seen = f"opset {max(versions)}" if versions else "no opset of ONNX's own domain"
        raise refuse.malformed(path, seen, f"opset {_OLDEST_OPSET} to {newest}")
    return int(max(versions))


def _output(graph: GraphProto, path: Path) -> str:
    names = [info.name for info in graph.output]
    if not names:
        raise refuse.malformed(path, "no output", "a network with one output")
    if len(names) > 1:
        raise refuse.several_outputs(path, names)
    return str(names[0])


def _port(info: ValueInfoProto, override: tuple[int, ...] | None) -> Port:
    if not info.type.HasField("tensor_type"):
        raise refuse.unsupported_use(info.name, "input", "not a tensor", "a tensor")
    tensor = info.type.tensor_type
    shape = override or _static_shape(info)
    if any(extent < 1 for extent in shape):
        raise refuse.dynamic_shape(info.name, f"shape {list(shape)}")
    if prod(shape) > refuse.MAX_ELEMENTS:
        raise refuse.too_large(info.name, shape)
    return Port(name=info.name, dtype=element_type(tensor.elem_type, info.name), shape=shape)


def _static_shape(info: ValueInfoProto) -> tuple[int, ...]:
    """The declared shape, an unknown batch read as 1."""
    if not info.type.tensor_type.HasField("shape"):
        raise refuse.dynamic_shape(info.name, "no shape at all")
    dims = info.type.tensor_type.shape.dim
    shape = [dim.dim_value for dim in dims]
    if shape and shape[0] < 1:
        shape[0] = 1
    if any(extent < 1 for extent in shape):
        shown = [dim.dim_param or dim.dim_value or "?" for dim in dims]
        raise refuse.dynamic_shape(info.name, f"shape {shown}")
    return tuple(shape)


def _check_shape_options(source: Source, inputs: list[str]) -> None:
    for name, shape in source.shapes.items():
        if name not in inputs:
            raise refuse.bad_shape_option(name, "no such input", f"one of {', '.join(inputs)}")
        if not shape or any(extent < 1 for extent in shape):
            raise refuse.bad_shape_option(name, str(list(shape)), "positive extents")


def _nodes(graph: GraphProto, folder: Path) -> Iterator[OnnxNode]:
    given = Counter(node.name for node in graph.node)
    for node in graph.node:
        domain = "" if node.domain in _OWN_DOMAINS else f"{node.domain}."
        name = node.name
        if not name or given[name] > 1:
            output = next(iter(node.output), "")
            name = f"{name or node.op_type}_{output}"
        yield OnnxNode(
            name=name,
            op=f"{domain}{node.op_type}",
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            attributes=dict(_attributes(node, name, folder)),
        )


def _attributes(node: NodeProto, name: str, folder: Path) -> Iterator[tuple[str, Attribute]]:
    for attribute in node.attribute:
        yield attribute.name, _attribute(attribute, name, node.op_type, folder)


def _attribute(attribute: AttributeProto, node: str, op: str, folder: Path) -> Attribute:
    kind = attribute.type
    if kind in _SIMPLE:
        return _SIMPLE[kind](attribute)
    if kind == attribute.TENSOR:
        return _tensor_attribute(attribute, node, folder)
    if kind in {attribute.GRAPH, attribute.GRAPHS}:
        accepted = "networks without branches or loops; run the exporter with control flow folded"
        raise refuse.unsupported_op(node, f"{op} (a subgraph)", accepted)
    seen = f"attribute {attribute.name!r} of an unusual type"
    raise refuse.unsupported_use(node, op, seen, "numbers, strings and tensors as attributes")


def _tensor_attribute(attribute: AttributeProto, node: str, folder: Path) -> Array:
    tensor = attribute.t
    if not tensor.name:
        tensor.name = f"{node}.{attribute.name}"
    return to_array(tensor, folder)


def _check_names(path: Path, names: list[str]) -> None:
    """Every tensor that is given is given once."""
    for name, count in Counter(names).items():
        if count > 1:
            raise refuse.malformed(path, f"tensor {name!r} is given twice", "every tensor once")


def _check_order(path: Path, nodes: Iterable[OnnxNode], given: set[str]) -> None:
    """Every tensor is written once, before it is read."""
    known = set(given)
    written = {name for node in nodes for name in node.outputs if name}
    for node in nodes:
        if not any(node.outputs):
            raise refuse.malformed(path, f"node {node.name!r} has no output", "an output each")
        for name in node.inputs:
            if name and name not in known:
                where = "later or in a cycle" if name in written else "nowhere"
                seen = f"node {node.name!r} reads {name!r}, which is computed {where}"
                raise refuse.malformed(path, seen, "nodes in an order in which they can run")
        for name in filter(None, node.outputs):
            if name in known:
                seen = f"node {node.name!r} writes {name!r}, which exists already"
                raise refuse.malformed(path, seen, "every tensor written once")
            known.add(name)
