"""Physical layouts: where each element of a logical tensor lies in memory.

One form covers row-major and channels-last order, padded rows and planes, channel blocks,
transposed maps, space-to-depth, materialised zero padding and byte-reversed words. A conversion
between two layouts is therefore always the same loop, and never needs to know a chip.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
import numpy.typing as npt

from htvm.ir.dtype import DType
from htvm.ir.tensor import Array

Addresses = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Places index ``i``, with ``j = i + offset``, at ``(j // block)*stride + (j % block)*inner``.

    Attributes:
        stride: Elements between blocks (between neighbours when ``block`` is 1).
        block: Indices that share one step of ``stride``.
        inner: Elements between neighbours inside a block.
        offset: Free indices before index 0.
    """

    stride: int
    block: int = 1
    inner: int = 0
    offset: int = 0

    def positions(self, extent: int) -> Addresses:
        """Positions of indices ``0 .. extent-1``, shape ``(extent,)``."""
        index = np.arange(extent, dtype=np.int64) + self.offset
        return (index // self.block) * self.stride + (index % self.block) * self.inner


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Layout of a tensor of one given shape. Compare with ``==``; the name does not count.

    Attributes:
        name: For people: ``"CHW"``, ``"HWC"``, ``"digital rows"``.
        axes: One per logical axis.
        size: Elements of the whole buffer, padding included.
        word_bytes: Byte order is reversed inside each group of this many bytes (1: not at all).
            Only for one-byte elements.
        fill: The value of every element no index maps to; None when those hold anything.
    """

    name: str = field(compare=False)
    axes: tuple[Axis, ...]
    size: int
    word_bytes: int = 1
    fill: int | None = None

    def addresses(self, shape: tuple[int, ...]) -> Addresses:
        """Element address of every index of ``shape``, in an array of that shape."""
        total = np.zeros(shape, dtype=np.int64)
        for number, (axis, extent) in enumerate(zip(self.axes, shape, strict=True)):
            view = [1] * len(shape)
            view[number] = extent
            total += axis.positions(extent).reshape(view)
        return total ^ (self.word_bytes - 1)

    def pack(self, array: Array, *, background: int = 0) -> Array:
        """The buffer, shape ``(size,)``, that holds ``array``; the rest is fill or background."""
        free = background if self.fill is None else self.fill
        buffer = np.full(self.size, free, dtype=array.dtype)
        buffer[self.addresses(array.shape)] = array
        return buffer

    def unpack(self, buffer: Array, shape: tuple[int, ...]) -> Array:
        """The logical tensor of ``shape`` held in ``buffer`` of shape ``(size,)``."""
        result: Array = buffer[self.addresses(shape)]
        return result

    def size_bytes(self, dtype: DType) -> int:
        """Bytes of the buffer."""
        return self.size * dtype.size_bytes

    def serves(self, wanted: Layout) -> bool:
        """Whether a buffer of this layout can be read where ``wanted`` is asked for."""
        return self == wanted or (wanted.fill is None and replace(self, fill=None) == wanted)

    def transposed(self, perm: tuple[int, ...]) -> Layout:
        """The same buffer seen as the tensor transposed by ``perm``."""
        return replace(self, axes=tuple(self.axes[axis] for axis in perm))


def strided(
    name: str,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *,
    size: int | None = None,
    word_bytes: int = 1,
    fill: int | None = None,
) -> Layout:
    """A layout of plain strides, in elements.

    Axes of extent 1 get stride 0, so that layouts that place every element alike compare equal.
    ``fill`` is dropped when no element is free. ``size`` defaults to the last address plus one.
    """
    axes = tuple(
        Axis(stride=stride if extent > 1 else 0)
        for stride, extent in zip(strides, shape, strict=True)
    )
    last = sum(axis.stride * (extent - 1) for axis, extent in zip(axes, shape, strict=True))
    total = last + 1 if size is None else size
    kept = fill if total != prod(shape) else None
    return Layout(name=name, axes=axes, size=total, word_bytes=word_bytes, fill=kept)


def row_major(shape: tuple[int, ...]) -> Layout:
    """Dense C order."""
    strides = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
    return strided("row-major", shape, strides)


def channels_last(shape: tuple[int, ...], multiple: int = 1) -> Layout:
    """A logical ``(N, C, H, W)`` image or ``(N, C)`` vector stored as N, H, W, C.

    Args:
        shape: The tensor's shape, with N = 1.
        multiple: Channels of a pixel are padded to a multiple of this with elements that may hold
            anything.
    """
    _, channels, height, width = (*shape, 1, 1)[:4]
    pitch = -(-channels // multiple) * multiple
    strides = (0, 1, width * pitch, pitch)[: len(shape)]
    return strided("channels-last", shape, strides, size=height * width * pitch)


def channels_first(shape: tuple[int, ...], multiple: int = 1) -> Layout:
    """A logical ``(N, C, H, W)`` image or ``(N, C)`` vector stored as N, C, H, W.

    Args:
        shape: The tensor's shape, with N = 1.
        multiple: Planes are padded to a multiple of this with elements that may hold anything.
    """
    _, channels, height, width = (*shape, 1, 1)[:4]
    strides = (0, height * width, width, 1)[: len(shape)]
    size = -(-channels // multiple) * multiple * height * width
    return strided("channels-first", shape, strides, size=size)


def channel_blocks(shape: tuple[int, ...], lanes: int) -> Layout:
    """A logical ``(N, C, H, W)`` image or ``(N, C)`` vector stored as N, C/lanes, H, W, lanes.

    The last block's lanes that stand for no channel may hold anything. An image of one block or of
    one pixel is laid as :func:`channels_last` does it.

    Args:
        shape: The tensor's shape, with N = 1.
        lanes: Channels of a block.
    """
    _, channels, height, width = (*shape, 1, 1)[:4]
    plain = channels_last(shape, lanes)
    if channels <= lanes or height * width == 1:
        return plain
    blocks = Axis(stride=height * width * lanes, block=lanes, inner=1)
    rows, columns = (
        Axis(stride=stride if extent > 1 else 0)
        for stride, extent in ((width * lanes, height), (lanes, width))
    )
    axes = (Axis(stride=0), blocks, rows, columns)
    return Layout(name="channel blocks", axes=axes, size=plain.size)
