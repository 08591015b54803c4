"""The cycle model: what kernels cost on an RI5CY core, and how large their code is.

Every constant is a figure measured on generated kernels, compiled by gcc 12 for RV32IMF at -O2 and
counted instruction by instruction under the rules of the RI5CY user manual (see
``benchmarks/ri5cy``, which repeats the measurement and holds the model against it). Memory is
taken to answer in one cycle. Over a sweep of 70 random convolutions the model was off by 2 % on
average and 12 % at worst; over kernels of all kinds that take 2,000 cycles or more,
:data:`MEAN_ERROR` on average and :data:`WORST_ERROR` at worst.

For a core other than RI5CY the same figures stand in: they rank layouts and engines, and are no
prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from htvm.api import Cost, Layout, Node, ops, requant
from htvm_cpu.host import Host

MEAN_ERROR = 0.03
"""Mean relative error of the model over the calibration sweep."""

WORST_ERROR = 0.20
"""Greatest relative error over the calibration sweep."""

CALL = 40
"""Calling a layer's function."""

LOAD = 2.0
STORE = 1.0
LOOP = 4.0
"""Per element: reading it through a running pointer, writing it, the loop around."""

SUM = 8.3
"""Taking a sum from scratch, adding the bias, storing the result."""

MAC = 2.88
"""A product in a block of 4 windows x 4 channels."""

BLOCK = 44.0
"""Calling the function that computes such a block."""

DENSE_MAC = 3.44
DENSE_SUM = 19.0
"""The same for one row of activations x 8 channels."""

TAP = 3.1
SPILLED_TAP = 4.4
"""A product of a depthwise filter held in registers, and of one too large for them."""

MOST_HELD_TAPS = 12


COPIED_BY_FOUR = 3.2
COPIED = 5.4
BLANK = 7.0
"""An element of a gathered window: in runs of a multiple of four, one by one, of padding."""

ROW = 20.0
EDGE_ROW = 24.0
EDGE_TAP = 5.1
"""A row of a gathered window inside the image, across its edge, and a tap of the latter."""

PLANE_BY_FOUR = 2.4
PLANE = 7.0
PLANE_BLANK = 5.9
CHANNEL = 60.0
"""An element copied to a depthwise plane (rows of a multiple of four, else), a zero, a channel."""

POOL_ELEMENT = {"average": 5.0, "sum": 5.3, "max": 7.0}
POOL_ROW = 9.0
POOL_RESULT = {"average": 26.0, "sum": 14.0, "max": 18.0}

SOFTMAX_ELEMENT = {"softmaxtflite": 73.0, "softmaxtable": 35.0, "qlinearsoftmax": 57.0}
SOFTMAX_ROW = {"softmaxtflite": 250.0, "softmaxtable": 20.0, "qlinearsoftmax": 25.0}

REDUCED = 6.5
"""An element added to a sum over any axes."""

MOVED = 6.4
RUN = 6.0
RUN_ELEMENT = 2.0
"""An element copied between layouts; starting a copy that is spelled out, and an element of it."""


@dataclass(frozen=True, kw_only=True)
class FloatCycles:
    """Cycles of float products.

    Attributes:
        tap: Gathering an element.
        line: Starting on a row of a window.
        dequantised: Turning a byte into a float, besides.
        row: A step of a block of sums, besides its products.
        mac: A product and its addition.
        result: A sum from scratch, with its bias, stored.
    """

    tap: float
    line: float
    dequantised: float
    row: float
    mac: float
    result: float


FLOAT_UNIT = FloatCycles(tap=7.5, line=27.6, dequantised=5.3, row=3.9, mac=5.3, result=14.3)
FLOAT_SOFT = FloatCycles(tap=7.5, line=27.6, dequantised=5.0, row=8.0, mac=195.0, result=170.0)
"""With an FPU, and without: then gcc's own ``__mulsf3`` and ``__addsf3`` for RV32IM are counted."""

LIBRARY_BYTE = 5.9
"""A byte of memset or memcpy, in picolibc built for size."""

TAIL_ELEMENT = 20.0

_ADDRESS = 0.6
_REVERSED_BYTES = 1.0
_BLOCKED = 9.0

_CYCLES = {
    ops.Quantize: 16.0,
    ops.Dequantize: 4.0,
    ops.Clip: 5.0,
    ops.Lut: 3.0,
    ops.Cast: 0.5,
    requant.Mulshift31Requant: 27.3,
}
_SOFT_CYCLES = {ops.Quantize: 350.0, ops.Dequantize: 130.0}
_SHIFT, _SHIFT_PER_CHANNEL = 6.5, 11.5
_TFLITE, _TFLITE_INPUT, _TFLITE_WIDE = 21.0, 14.0, 30.0
_ADD, _ADD_FLOAT, _ADD_SOFT = 1.0, 12.0, 110.0
_FLOAT, _FLOAT_EMULATED = 22.3, 370.0
_MEAN, _CLIP, _HALF = 4.0, 7.0, 0.5
"""Half to even of the mean of two tensors, in integers; a clip of it; its scale."""


def pointwise(nodes: Sequence[Node], host: Host, *, bounded: bool = True) -> float:
    """Cycles of element-wise nodes, for one element.

    Args:
        nodes: The nodes.
        host: The processor.
        bounded: Whether what comes in is known to leave head room, as sums of products are.
    """
    real = any(isinstance(node.op, ops.Quantize | ops.Dequantize) for node in nodes)
    return sum(_node(node, host, bounded=bounded, real=real) for node in nodes)


def _node(node: Node, host: Host, *, bounded: bool, real: bool) -> float:
    match node.op:
        case ops.Elementwise():
            return (_ADD_FLOAT if host.fpu else _ADD_SOFT) if real else _ADD
        case ops.Quantize() | ops.Dequantize() if not host.fpu:
            return _SOFT_CYCLES[type(node.op)]
        case requant.ShiftRequant(axis=axis):
            return _SHIFT if axis is None else _SHIFT_PER_CHANNEL
        case requant.TfliteRequant(left_shift=left_shift):
            if left_shift:
                return _TFLITE_INPUT
            return _TFLITE if bounded else _TFLITE_WIDE
        case requant.FloatRequant(scale=scale) if host.is_scalar and np.all(scale == _HALF):
            whole = (node.op.lo, node.op.hi) == node.op.out.bounds
            return _MEAN if whole else _MEAN + _CLIP
        case requant.FloatRequant(emulated=emulated):
            return _FLOAT if host.fpu and not emulated else _FLOAT_EMULATED
    return _CYCLES.get(type(node.op), 4.0)


def address(layout: Layout) -> float:
    """Cycles to find an element that is not the next of a running pointer."""
    blocked = any(axis.block > 1 for axis in layout.axes)
    turned = _REVERSED_BYTES if layout.word_bytes > 1 else 0.0
    return _ADDRESS + turned + (_BLOCKED if blocked else 0.0)


def priced(total: float) -> Cost:
    """A cost that is all computation but for the call."""
    whole = round(total)
    return Cost(total=whole + CALL, compute=whole, overhead=CALL)


_CODE_BYTES = {
    ops.Conv2d: 290,
    ops.Dense: 130,
    ops.MatMul: 700,
    ops.FloatConv2d: 230,
    ops.FloatDense: 190,
    ops.SumPool2d: 130,
    ops.AvgPool2d: 150,
    ops.MaxPool2d: 110,
    ops.ReduceSum: 120,
    ops.SoftmaxTflite: 640,
    ops.SoftmaxTable: 100,
    ops.QLinearSoftmax: 170,
    ops.Quantize: 60,
    requant.ShiftRequant: 50,
    requant.Mulshift31Requant: 110,
    requant.TfliteRequant: 80,
}
_MAP_CODE_BYTES = 12
_LOOP_CODE_BYTES = 30
_EMULATION_CODE_BYTES = 1200
_FLOAT_CODE_BYTES = 60
_PADDED_CODE_BYTES = 210
_GROUPED_CODE_BYTES = 390
_FLOAT_PADDED_CODE_BYTES = 140
_CALLS_CODE_BYTES = 200
_FLOAT_GROUPED_CODE_BYTES = 120


def code_bytes(nodes: Sequence[Node], host: Host) -> int:
    """Machine code of a layer's function on RV32IMC, without the block of dot products."""
    return _LOOP_CODE_BYTES + sum(_node_bytes(node, host) for node in nodes)


def _node_bytes(node: Node, host: Host) -> int:
    match node.op:
        case requant.FloatRequant(emulated=emulated):
            return _FLOAT_CODE_BYTES if host.fpu and not emulated else _EMULATION_CODE_BYTES
        case ops.Conv2d(groups=groups) if groups > 1:
            return _GROUPED_CODE_BYTES
        case ops.FloatConv2d(pad=pad, groups=groups):
            grown = _FLOAT_PADDED_CODE_BYTES * any(pad) + _FLOAT_GROUPED_CODE_BYTES * (groups > 1)
            return _CODE_BYTES[ops.FloatConv2d] + grown + _CALLS_CODE_BYTES * (not host.fpu)
        case ops.FloatDense():
            return _CODE_BYTES[ops.FloatDense] + _CALLS_CODE_BYTES * (not host.fpu)
        case ops.Conv2d(pad=pad):
            return _CODE_BYTES[ops.Conv2d] + (_PADDED_CODE_BYTES if any(pad) else 0)
        case ops.Concat():
            return 4 * _LOOP_CODE_BYTES * len(node.inputs)
    return _CODE_BYTES.get(type(node.op), _MAP_CODE_BYTES)
