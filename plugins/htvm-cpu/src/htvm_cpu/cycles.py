"""The cycle model of an RI5CY core, and code sizes."""

from __future__ import annotations

from collections.abc import Sequence

from htvm.api import Cost, Layout, Node, ops, requant
from htvm_cpu.host import Host

LOAD = 1.5
STORE = 1.0
LOOP = 4.0
GATHER = 3.0
SUM = 6.0


def pointwise(nodes: Sequence[Node], host: Host) -> float:
    """Cycles of element-wise nodes, for one element."""
    return sum(_node(node, host) for node in nodes)


def _node(node: Node, host: Host) -> float:
    match node.op:
        case requant.TfliteRequant():
            return 24.0
        case requant.Mulshift31Requant():
            return 20.0
        case requant.ShiftRequant():
            return 10.0
        case requant.FloatRequant(emulated=emulated):
            return 14.0 if host.fpu and not emulated else 120.0
        case ops.Quantize():
            return 20.0
    return 3.0


def address(layout: Layout) -> float:
    """Cycles to compute an element's address beyond a running pointer."""
    blocked = any(axis.block > 1 for axis in layout.axes)
    return 2.0 + (1.0 if layout.word_bytes > 1 else 0.0) + (40.0 if blocked else 0.0)


def per_mac(host: Host) -> float:
    """Cycles of a multiply-accumulate in a block of dot products."""
    return 2.7 if host.is_scalar else 2.7


def priced(total: float) -> Cost:
    """A cost that is all computation."""
    whole = round(total) + CALL
    return Cost(total=whole, compute=round(total), overhead=CALL)


CALL = 40


def code_bytes(nodes: Sequence[Node], *, loops: int, host: Host) -> int:
    """Machine code of a function."""
    del host
    return 60 + 50 * loops + 40 * len(nodes)


COPY = 4.0
RUN = 30.0
RUN_BYTE = 1.0
REVERSED = 2.75
COPY_CODE_BYTES = 120
POOL_ROW = 4.0
POOL_WINDOW = 5.0
DIVIDE = 35.0
SOFTMAX_FIXED = 60.0
SOFTMAX_FLOAT = 40.0
SOFTMAX_ROW = 200.0


def per_dense_mac(host: Host) -> float:
    """Cycles of a multiply-accumulate against one row of activations."""
    return 3.2 if host.is_scalar else 3.2


def per_tap(host: Host) -> float:
    """Cycles of a multiply-accumulate of a depthwise filter."""
    return 3.1 if host.is_scalar else 3.1


TAIL_ELEMENT = 20.0
