"""``htvm inspect``: the integer network a file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from htvm.cli import console, options

if TYPE_CHECKING:
    from htvm.ir.graph import Graph
    from htvm.ir.tensor import Tensor


@click.command("inspect")
@options.network
@options.as_json
def command(as_json: bool, **values: Any) -> None:
    """Show the integer network a file holds: ends, ops, requantisation."""
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
    columns = (("op", False), ("node", False), ("result", False), ("arithmetic", False))
    rows = (
        (row["op"], row["name"], f"{row['dtype']} {row['shape']}", row["arithmetic"])
        for row in _rows(graph)
    )
    screen.print(console.table(columns, rows))


def document(graph: Graph) -> dict[str, object]:
    """The network as a JSON document."""
    return {
        "name": graph.name,
        "format": graph.origin.format,
        "sha256": graph.origin.sha256,
        "inputs": [_tensor(graph.tensors[name]) for name in graph.inputs],
        "outputs": [_tensor(graph.tensors[name]) for name in graph.outputs],
        "nodes": _rows(graph),
    }


def _rows(graph: Graph) -> list[dict[str, str]]:
    from htvm.ir.requant import Requant

    return [
        {
            "name": node.name,
            "op": node.op.kind,
            "dtype": graph.tensors[node.output].dtype.value,
            "shape": "x".join(str(extent) for extent in graph.tensors[node.output].shape),
            "arithmetic": node.op.mode if isinstance(node.op, Requant) else "",
        }
        for node in graph.nodes
    ]


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
        text += f", real = {scale:.9g} * (integer - {zero})"
    return text
