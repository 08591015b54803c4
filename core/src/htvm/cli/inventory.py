"""What a file holds: the ends of its network and its ops, with their work and weights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod

from htvm.frontend.source import Source
from htvm.ir.graph import Graph, Node
from htvm.ir.ops import Elementwise, Op
from htvm.ir.requant import Requant
from htvm.ir.tensor import Tensor
from htvm.partition.layers import node_macs
from htvm.quantization.network import Dense, FloatNetwork, Linear


@dataclass(frozen=True, kw_only=True)
class End:
    """An input or an output: ``real = scale * (integer - zero_point)`` where it is quantised."""

    name: str
    shape: list[int]
    dtype: str
    scale: list[float] | None = None
    zero_point: int | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One op, with the mode of its requantisation if it is one."""

    name: str
    op: str
    dtype: str
    shape: str
    arithmetic: str = ""
    macs: int = 0
    weight_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """A network as ``htvm inspect`` shows it."""

    name: str
    format: str
    sha256: str
    inputs: list[End]
    outputs: list[End]
    macs: int
    weight_bytes: int
    nodes: list[Row]

    def document(self) -> dict[str, object]:
        """The same as a JSON document."""
        return asdict(self)


def of_integers(graph: Graph) -> Inventory:
    """What an integer network holds. A constant that several ops read is counted once in all."""
    return Inventory(
        name=graph.name,
        format=graph.origin.format,
        sha256=graph.origin.sha256,
        inputs=[_end(graph.tensors[name]) for name in graph.inputs],
        outputs=[_end(graph.tensors[name]) for name in graph.outputs],
        macs=sum(node_macs(graph, node) for node in graph.nodes),
        weight_bytes=sum(one.size_bytes for one in graph.tensors.values() if one.is_constant),
        nodes=[_integer_row(graph, node) for node in graph.nodes],
    )


def of_floats(network: FloatNetwork, source: Source) -> Inventory:
    """What a float network holds, as it is before quantisation: batch norms folded, NCHW."""
    rows = list(_float_rows(network))
    return Inventory(
        name=network.name,
        format=f"{source.format}-float",
        sha256=source.sha256,
        inputs=[_float_end(network, name) for name in network.inputs],
        outputs=[_float_end(network, network.output)],
        macs=sum(row.macs for row in rows),
        weight_bytes=sum(row.weight_bytes for row in rows),
        nodes=rows,
    )


def _integer_row(graph: Graph, node: Node) -> Row:
    result = graph.tensors[node.output]
    read = [graph.tensors[name] for name in dict.fromkeys(node.inputs)]
    return Row(
        name=node.name,
        op=_readable(node.op),
        dtype=result.dtype.value,
        shape=_extents(result.shape),
        arithmetic=node.op.mode if isinstance(node.op, Requant) else "",
        macs=node_macs(graph, node),
        weight_bytes=sum(tensor.size_bytes for tensor in read if tensor.is_constant),
    )


def _float_rows(network: FloatNetwork) -> Iterator[Row]:
    for layer in network.layers:
        shape, op = network.shapes[layer.output], layer.op
        row = Row(name=layer.name, op=_readable(op), dtype="float32", shape=_extents(shape))
        if not isinstance(op, Linear):
            yield row
            continue
        yield Row(
            name=layer.name,
            op="dense" if isinstance(op, Dense) else "conv2d",
            dtype="float32",
            shape=_extents(shape),
            macs=prod(shape) * prod(op.weights.shape[1:]),
            weight_bytes=op.weights.nbytes + op.bias.nbytes,
        )


def _readable(op: Op) -> str:
    """``"requant"``, ``"add"``, ``"avg pool2d"``."""
    if isinstance(op, Requant):
        return "requant"
    if isinstance(op, Elementwise):
        return op.function
    return re.sub("(?<=[a-z0-9])(?=[A-Z])", " ", type(op).__name__).lower()


def _end(tensor: Tensor) -> End:
    meaning = tensor.quantization
    return End(
        name=tensor.name,
        shape=list(tensor.shape),
        dtype=tensor.dtype.value,
        scale=[float(scale) for scale in meaning.scale] if meaning else None,
        zero_point=meaning.zero_point if meaning else None,
    )


def _float_end(network: FloatNetwork, name: str) -> End:
    return End(name=name, shape=list(network.shapes[name]), dtype="float32")


def _extents(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
