"""Where the digital core wants tensors: C-H-W planes of padded rows, words byte-reversed.

Images are logical ``(1, C, H, W)``. Every layout ends on a whole number of 32-byte DMA units and
holds exactly C planes, so a tensor has one and the same layout as an output and as an input.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import numpy.typing as npt

from htvm.api import Axis, Layout, strided

Places = npt.NDArray[np.int64]

WORD_BYTES = 4
ROW_BYTES = 16
DMA_BYTES = 32


def ceil16(count: int) -> int:
    """``count`` rounded up to a multiple of 16."""
    return -(-count // ROW_BYTES) * ROW_BYTES


def ceil32(count: int) -> int:
    """``count`` rounded up to a multiple of 32."""
    return -(-count // DMA_BYTES) * DMA_BYTES


def rows(shape: tuple[int, ...]) -> Layout:
    """Planes of rows, each row padded to 16 columns."""
    _, channels, height, width = shape
    pitch = ceil16(width)
    return _planes("digital rows", shape, (height * pitch, pitch, 1), channels * height * pitch)


def columns(shape: tuple[int, ...]) -> Layout:
    """The map transposed: planes of columns, each padded to a multiple of 16 elements."""
    batch, channels, height, width = shape
    return mirrored(rows((batch, channels, width, height)))


def flat(shape: tuple[int, ...]) -> Layout:
    """Planes without padded rows, each plane padded to 16 elements."""
    _, channels, height, width = shape
    plane = ceil16(height * width)
    return _planes("digital flat", shape, (plane, width, 1), channels * plane)


def vector(shape: tuple[int, ...]) -> Layout:
    """All elements one after the other, in row-major order, without padding between them."""
    strides = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
    size = ceil32(prod(shape))
    return strided("digital vector", shape, strides, size=size, word_bytes=WORD_BYTES)


def stored(
    shape: tuple[int, ...],
    block: tuple[int, int],
    offset: tuple[int, int],
    extent: tuple[int, int],
) -> Layout:
    """Planes that hold their own zero padding, and blocks of pixels as channels of one pixel.

    Channel ``c`` of the pixel at ``(y, x)`` inside its block is plane
    ``(c * block_rows + y) * block_columns + x``. Blocks of 1x1 just keep the padding in memory.

    Args:
        shape: Logical shape.
        block: Rows and columns of a block.
        offset: Zero rows and columns before the map.
        extent: Rows and columns of the planes.
    """
    channels = shape[1]
    pitch = ceil16(extent[1])
    plane = extent[0] * pitch
    axes = (
        Axis(stride=0),
        Axis(stride=plane * block[0] * block[1]),
        Axis(stride=pitch, block=block[0], inner=plane * block[1], offset=offset[0]),
        Axis(stride=1, block=block[1], inner=plane, offset=offset[1]),
    )
    kind = "zero columns" if block == (1, 1) else f"space-to-depth {block[0]}x{block[1]}"
    return Layout(
        name=f"digital {kind}",
        axes=axes,
        size=ceil32(channels * block[0] * block[1] * plane),
        word_bytes=WORD_BYTES,
        fill=0,
    )


def mirrored(layout: Layout) -> Layout:
    """A layout made for ``(1, C, W, H)``, seen as one of the transposed map ``(1, C, H, W)``."""
    name = f"{layout.name}, transposed"
    return replace(layout.transposed((0, 1, 3, 2)), name=name)


def _planes(name: str, shape: tuple[int, ...], strides: tuple[int, int, int], size: int) -> Layout:
    total = ceil32(size)
    return strided(name, shape, (total, *strides), size=total, word_bytes=WORD_BYTES)
