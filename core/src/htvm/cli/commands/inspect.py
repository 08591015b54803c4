"""``htvm inspect``: the network a file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from htvm.cli import console, options
from htvm.errors import UnsupportedModelError

if TYPE_CHECKING:
    from htvm.cli.inventory import End, Inventory
    from htvm.frontend.source import Source

_COLUMNS = (("op", False), ("node", False), ("result", False), ("MAC", True), ("weights", True))
_SHORTEST_NAME = 20
"""Characters of a node's name that are shown however narrow the terminal is."""
_FLOAT_NETWORK = "E201"


@click.command("inspect")
@options.network
@options.as_json
def command(as_json: bool, **values: Any) -> None:
    """Show the network a file holds: ends, ops, requantisation, work and weights."""
    from htvm.frontend import read

    found = _inventory(read(values["model"], shapes=options.parse_shapes(values["shapes"])))
    if as_json:
        console.print_json(found.document())
        return
    screen = console.output()
    screen.print(f"{found.name}: {found.format}, {len(found.nodes)} ops", markup=False)
    for title, ends in (("input", found.inputs), ("output", found.outputs)):
        for end in ends:
            screen.print(f"{title:<6} {_meaning(end)}", markup=False)
    screen.print(console.table(_COLUMNS, _lines(found, screen.width)))
    if found.format.endswith("-float"):
        console.print_note(
            "a float network: htvm quantize, or deploy --numerics calibrated, brings it to a "
            "target's integers"
        )


def _inventory(source: Source) -> Inventory:
    """The integer network of a file, or the float network where there is no other."""
    from htvm.cli.inventory import of_floats, of_integers
    from htvm.frontend import integerise

    try:
        return of_integers(integerise(source))
    except UnsupportedModelError as error:
        if error.code != _FLOAT_NETWORK:
            raise
    from htvm.quantization.source.read import float_network

    return of_floats(float_network(source), source)


def _lines(found: Inventory, width: int) -> list[tuple[str, ...]]:
    """Rows of the table, names shortened to what the width leaves them, and the total."""
    from htvm.partition.names import shortened

    lines = [
        (
            f"{row.op} ({row.arithmetic})" if row.arithmetic else row.op,
            row.name,
            f"{row.dtype} {row.shape}",
            f"{row.macs:,}" if row.macs else "",
            f"{row.weight_bytes:,} B" if row.weight_bytes else "",
        )
        for row in found.nodes
    ]
    lines.append(("total", "", "", f"{found.macs:,}", f"{found.weight_bytes:,} B"))
    taken = sum(max(len(line[at]) for line in lines) + 2 for at in (0, 2, 3, 4))
    longest = max(_SHORTEST_NAME, width - taken - 2)
    return [(op, shortened(name, longest), *rest) for op, name, *rest in lines]


def _meaning(end: End) -> str:
    text = f"{end.name}: {end.dtype} {'x'.join(map(str, end.shape))}"
    if end.scale is None:
        return text
    return f"{text}, real = {console.affine(end.scale[0], end.zero_point or 0)}"
