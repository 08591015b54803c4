"""``htvm inspect``: the integer network a file holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from htvm.cli import console, options

if TYPE_CHECKING:
    from htvm.ir.graph import Graph, Node
    from htvm.ir.ops import Op
    from htvm.ir.tensor import Tensor

_COLUMNS = (("op", False), ("node", False), ("result", False), ("MAC", True), ("weights", True))
_SHORTEST_NAME = 20
"""Characters of a node's name that are shown however narrow the terminal is."""


@click.command("inspect")
@options.network
@options.as_json
def command(as_json: bool, **values: Any) -> None:
    """Show the integer network a file holds: ends, ops, requantisation, work and weights."""
    from htvm.frontend import integerise, read

    source = read(values["model"], shapes=options.parse_shapes(values["shapes"]))
    graph = integerise(source)
    if as_json:
        console.print_json(document(graph))
        return
    screen = console.output()
    screen.print(f"{graph.name}: {graph.origin.format}, {len(graph.nodes)} ops", markup=False)
    for title, names in (("input", graph.inputs), ("output", graph.outputs)):
        for name in names:
            screen.print(f"{title:<6} {_end(graph.tensors[name])}", markup=False)
    screen.print(console.table(_COLUMNS, _lines(graph, screen.width)))


def document(graph: Graph) -> dict[str, object]:
    """The network as a JSON document."""
    return {
        "name": graph.name,
        "format": graph.origin.format,
        "sha256": graph.origin.sha256,
        "inputs": [_tensor(graph.tensors[name]) for name in graph.inputs],
        "outputs": [_tensor(graph.tensors[name]) for name in graph.outputs],
        "macs": _total_macs(graph),
        "weight_bytes": _total_weights(graph),
        "nodes": [_row(graph, node) for node in graph.nodes],
    }


def _row(graph: Graph, node: Node) -> dict[str, object]:
    from htvm.ir.requant import Requant
    from htvm.partition.layers import node_macs

    result = graph.tensors[node.output]
    return {
        "name": node.name,
        "op": _readable(node.op),
        "dtype": result.dtype.value,
        "shape": "x".join(str(extent) for extent in result.shape),
        "arithmetic": node.op.mode if isinstance(node.op, Requant) else "",
        "macs": node_macs(graph, node),
        "weight_bytes": sum(tensor.size_bytes for tensor in _constants(graph, node)),
    }


def _readable(op: Op) -> str:
    """``"requant"``, ``"add"``, ``"avg pool2d"``."""
    from htvm.ir.ops import Elementwise
    from htvm.ir.requant import Requant

    if isinstance(op, Requant):
        return "requant"
    if isinstance(op, Elementwise):
        return op.function
    return re.sub("(?<=[a-z0-9])(?=[A-Z])", " ", type(op).__name__).lower()


def _constants(graph: Graph, node: Node) -> list[Tensor]:
    names = dict.fromkeys(node.inputs)
    return [graph.tensors[name] for name in names if graph.tensors[name].is_constant]


def _total_macs(graph: Graph) -> int:
    from htvm.partition.layers import node_macs

    return sum(node_macs(graph, node) for node in graph.nodes)


def _total_weights(graph: Graph) -> int:
    return sum(tensor.size_bytes for tensor in graph.tensors.values() if tensor.is_constant)


def _lines(graph: Graph, width: int) -> list[tuple[str, ...]]:
    """Rows of the table, names shortened to what the width leaves them, and the total."""
    from htvm.partition.names import shortened

    rows = [_row(graph, node) for node in graph.nodes]
    lines = [
        (
            f"{row['op']} ({row['arithmetic']})" if row["arithmetic"] else str(row["op"]),
            str(row["name"]),
            f"{row['dtype']} {row['shape']}",
            f"{row['macs']:,}" if row["macs"] else "",
            f"{row['weight_bytes']:,} B" if row["weight_bytes"] else "",
        )
        for row in rows
    ]
    lines.append(("total", "", "", f"{_total_macs(graph):,}", f"{_total_weights(graph):,} B"))
    taken = sum(max(len(line[at]) for line in lines) + 2 for at in (0, 2, 3, 4))
    longest = max(_SHORTEST_NAME, width - taken - 2)
    return [(op, shortened(name, longest), *rest) for op, name, *rest in lines]


def _tensor(tensor: Tensor) -> dict[str, object]:
    meaning = tensor.quantization
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype.value,
        "scale": list(meaning.scale) if meaning else None,
        "zero_point": meaning.zero_point if meaning else None,
    }


def _end(tensor: Tensor) -> str:
    shape = "x".join(str(extent) for extent in tensor.shape)
    text = f"{tensor.name}: {tensor.dtype.value} {shape}"
    if tensor.quantization:
        scale, zero = tensor.quantization.scale[0], tensor.quantization.zero_point
        moved = f"(integer {'-' if zero > 0 else '+'} {abs(zero)})" if zero else "integer"
        text += f", real = {scale:.9g} * {moved}"
    return text
