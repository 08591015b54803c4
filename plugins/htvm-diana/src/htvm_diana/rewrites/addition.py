"""Element-wise sums: by the core's sum, or by a 1x1 convolution over both operands.

Where elements lie does not matter to a sum as long as it is the same everywhere, so a buffer is
taken for what suits the array: up to 16 planes of lines of 16 bytes. Stacked as channels, operands
meet weights that are multiples of the identity, and the convolution's bias, shift and ReLU do what
the sum has not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from htvm.api import Layer, Layout, Offers
from htvm_diana import layouts
from htvm_diana.forms import Addition
from htvm_diana.problem import Problem, planes, vector
from htvm_diana.rewrites.realisation import Realisation

_LANES = 16


def added(form: Addition, layer: Layer, offers: Offers) -> Iterator[Realisation]:
    """The sum in the core's usual layout and in every one a neighbour has or wants."""
    for layout in _layouts(layer.output.shape, offers):
        yield _summed(form, layout) if form.plain else _convolved(form, layout)


def _layouts(shape: tuple[int, ...], offers: Offers) -> tuple[Layout, ...]:
    own = layouts.rows(shape) if len(shape) == 4 else layouts.vector(shape)
    near = [layout for group in (*offers.inputs, offers.output) for layout in group]
    offered = [replace(layout, fill=None) for layout in near]
    return tuple(dict.fromkeys([own, *(one for one in offered if one.size % 32 == 0)]))


def _summed(form: Addition, layout: Layout) -> Realisation:
    operand = vector(layout.size)
    return Realisation(
        problem=Problem(kind="sum", inputs=(operand, operand), output=operand),
        inputs=(layout, layout),
        output=layout,
        weights=None,
        bias=None,
        shift=form.shift,
        elementwise=True,
    )


def _convolved(form: Addition, layout: Layout) -> Realisation:
    lines = layout.size // _LANES
    lanes = max(count for count in range(1, _LANES + 1) if lines % count == 0)
    operand = planes(lanes, lines // lanes, _LANES)
    identity = np.eye(lanes, dtype=np.int8)
    stacked = np.concatenate([identity * np.int8(factor) for factor in form.factors], axis=1)
    count = len(form.factors)
    return Realisation(
        problem=Problem(kind="conv2d", inputs=(operand,) * count, output=operand),
        inputs=(layout,) * count,
        output=layout,
        weights=stacked.reshape(lanes, -1, 1, 1),
        bias=np.full(lanes, form.bias, np.int32),
        shift=form.shift,
        relu=form.relu,
        rewrites=("sum as a 1x1 convolution over stacked operands",),
        elementwise=True,
    )
