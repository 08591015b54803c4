"""How the window of a convolution is laid over its map so that the core can slide it.

The core takes kernels of odd size up to 7, one stride both ways, any zero rows above and below,
and the same number of zero columns on both sides. Two exact rewrites bring other windows to that
form: a kernel grows by taps of weight zero (which shifts how much padding each side needs), and the
map is stored with its zeros and, for strides, with blocks of pixels as channels of one pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from htvm.api import Engine, Layout, PluginError
from htvm_diana import forms, layouts, pack
from htvm_diana.forms import Convolution, Int8s


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """A convolution the core can run as it stands.

    Attributes:
        weights: ``(K, c, fy, fx)``; ``(K, 1, fy, fx)`` for a depthwise layer.
        layout: Layout of the input, for the map as it lies (not mirrored).
        channels: Planes of the input.
        rows: Rows of a plane.
        columns: Columns of a plane that hold data, zeros in memory included.
        stride: Both ways.
        pad_top: Zero rows the core adds above.
        pad_bottom: Zero rows the core adds below.
        pad_side: Zero columns the core adds on both sides.
        rewrites: What was done, for people.
    """

    weights: Int8s
    layout: Layout
    channels: int
    rows: int
    columns: int
    stride: int = 1
    pad_top: int = 0
    pad_bottom: int = 0
    pad_side: int = 0
    rewrites: tuple[str, ...] = ()

    @property
    def taps(self) -> int:
        """Multiplications for one output element."""
        return int(self.weights[0].size)


def windows(form: Convolution, core: Engine) -> tuple[Window, ...]:
    """Every useful way to lay the window, the one on the plain layout first."""
    plain = _plain(form, core)
    found = [] if plain is None else [plain]
    embedded = plain is None or plain.weights.shape[2:] != form.weights.shape[2:]
    if form.stride != (1, 1) or embedded:
        taps = None if plain is None else plain.taps
        stored = [window for window in _stored(form, core) if taps is None or window.taps < taps]
        found += sorted(stored, key=lambda window: window.taps)[:1]
    return tuple(found)


def why_not(form: Convolution, core: Engine, weight_bytes: int) -> str | None:
    """What keeps the core from running a convolution, or None."""
    found = windows(form, core)
    if not found:
        return f"kernel is {_by(form.kernel)}, stride {_by(form.stride)}"
    needed = min(pack.conv2d_block_bytes(w.weights.shape[1], w.weights.shape[2:]) for w in found)
    return None if needed <= weight_bytes else f"16 outputs take {needed} B of {weight_bytes} B"


def _by(pair: tuple[int, int]) -> str:
    return f"{pair[0]}x{pair[1]}"


def _plain(form: Convolution, core: Engine) -> Window | None:
    """On the plain layout, the kernel grown until padding is the same on both sides."""
    channels, height, width = form.input_shape
    if form.stride[0] != form.stride[1] or form.stride[0] > core.integer("stride_max"):
        return None
    shape = (1, channels, height, width)
    return _fitted(form, core, layouts.rows(shape), form.input_shape, ())


def _fitted(
    form: Convolution,
    core: Engine,
    layout: Layout,
    planes: tuple[int, int, int],
    rewrites: tuple[str, ...],
) -> Window | None:
    """The smallest legal kernel around ``form.weights`` over planes of the given extent."""
    stride, (top, left) = form.stride[0], form.pad
    fy = next((size for size in _sizes(core) if size >= form.kernel[0]), None)
    side = _side(form, core, planes[2])
    if fy is None or side is None:
        return None
    fx, before = side
    limit = core.integer("padding_max")
    bottom = max(0, (form.output_shape[1] - 1) * stride + fy - top - planes[1])
    if max(top, bottom) > limit:
        return None
    if (fy, fx) != form.kernel:
        rewrites = (*rewrites, f"kernel {_by(form.kernel)} embedded in {_by((fy, fx))}")
    return Window(
        weights=_embed(form.weights, (fy, fx), (0, before)),
        layout=layout,
        channels=planes[0],
        rows=planes[1],
        columns=planes[2],
        stride=stride,
        pad_top=top,
        pad_bottom=bottom,
        pad_side=left + before,
        rewrites=rewrites,
    )


def _side(form: Convolution, core: Engine, width: int) -> tuple[int, int] | None:
    """Kernel columns, and how many of them lie before the first tap, so that both sides agree."""
    limit = _side_limit(core)
    reach = (form.output_shape[2] - 1) * form.stride[1]
    for size in _sizes(core):
        for before in range(size - form.kernel[1] + 1):
            side = form.pad[1] + before
            if side <= limit and reach + size <= width + 2 * side:
                return size, before
    return None


def _side_limit(core: Engine) -> int:
    """Most zero columns the core may be asked to add on both sides.

    Raises:
        PluginError: E624, a setting no reading of the sources has.
    """
    limits = {"symmetric": core.integer("padding_max"), "none": 0}
    chosen = str(core.parameters["side_padding"])
    if chosen not in limits:
        raise PluginError(
            "engine.digital.side_padding cannot be used as set",
            code="E624",
            seen=chosen,
            accepted=" or ".join(limits),
            hint="--set engine.digital.side_padding=symmetric",
        )
    return limits[chosen]


def _stored(form: Convolution, core: Engine) -> Iterator[Window]:
    """With zeros in memory, and with blocks of pixels as channels where the stride allows."""
    wide = forms.without_groups(form) if form.groups > 1 else form
    for block in product(_divisors(form.stride[0]), _divisors(form.stride[1])):
        stride = (form.stride[0] // block[0], form.stride[1] // block[1])
        if stride[0] != stride[1] or stride[0] > core.integer("stride_max"):
            continue
        window = _stored_window(form if block == (1, 1) else wide, core, block, stride)
        if window is not None:
            yield window


def _stored_window(
    form: Convolution, core: Engine, block: tuple[int, int], stride: tuple[int, int]
) -> Window | None:
    """One block size: left padding lies in memory, upper padding as far as it splits a block."""
    channels, height, width = form.input_shape
    offset = (form.pad[0] % block[0], form.pad[1])
    weights = _gathered(form.weights, block)
    fx = next((size for size in _sizes(core) if size >= weights.shape[3]), None)
    if fx is None:
        return None
    reach = (form.output_shape[2] - 1) * stride[1] + fx
    extent = (-(-(height + offset[0]) // block[0]), max(reach, -(-(width + offset[1]) // block[1])))
    planes = (channels * block[0] * block[1], *extent)
    inner = replace(form, weights=weights, stride=stride, pad=(form.pad[0] // block[0], 0))
    layout = layouts.stored((1, *form.input_shape), block, offset, extent)
    note = "zero columns kept in memory" if block == (1, 1) else f"space-to-depth {_by(block)}"
    return _fitted(inner, core, layout, planes, (note,))


def _gathered(weights: Int8s, block: tuple[int, int]) -> Int8s:
    """Weights of the same window over blocks: ``(K, C*by*bx, ceil(kh/by), ceil(kw/bx))``."""
    outputs, channels, rows, columns = weights.shape
    size = (-(-rows // block[0]), -(-columns // block[1]))
    full = _embed(weights, (size[0] * block[0], size[1] * block[1]), (0, 0))
    split = full.reshape(outputs, channels, size[0], block[0], size[1], block[1])
    return np.ascontiguousarray(split.transpose(0, 1, 3, 5, 2, 4)).reshape(outputs, -1, *size)


def _embed(weights: Int8s, size: tuple[int, int], at: tuple[int, int]) -> Int8s:
    """Weights with zero taps around them."""
    wide = np.zeros((*weights.shape[:2], *size), np.int8)
    rows, columns = weights.shape[2:]
    wide[:, :, at[0] : at[0] + rows, at[1] : at[1] + columns] = weights
    return wide


def _sizes(core: Engine) -> range:
    return range(1, core.integer("kernel_max") + 1, 2)


def _divisors(number: int) -> tuple[int, ...]:
    return tuple(size for size in range(1, number + 1) if number % size == 0)
