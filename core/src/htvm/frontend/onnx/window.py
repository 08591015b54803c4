"""Sliding windows: the attributes convolutions and pools share, one- and two-dimensional."""

from __future__ import annotations

from dataclasses import dataclass

from htvm.frontend.onnx.call import Call
from htvm.ir.ops import Pads, Pair


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window over an image; one dimension is lifted to an image of height 1.

    Attributes:
        kernel: Elements of the window.
        stride: Step of the window.
        pad: Padding, the part that ``ceil_mode`` adds included.
        declared: Padding without that part.
        dilation: Step inside the window.
        out: Positions of the window.
    """

    kernel: Pair
    stride: Pair
    pad: Pads
    declared: Pads
    dilation: Pair
    out: Pair


def window(call: Call, image: tuple[int, ...], kernel: tuple[int, ...]) -> Window:
    """The window of a convolution or pool.

    Args:
        call: Its node.
        image: Extents of the image, one or two.
        kernel: Extents of the window, as many.

    Raises:
        UnsupportedModelError: three dimensions, or attributes that make no sense.
    """
    rank = len(image)
    if rank not in {1, 2}:
        raise call.refuse(f"{rank} spatial dimensions", "one or two spatial dimensions")
    ones = (1,) * rank
    stride = call.integers("strides") or ones
    dilation = call.integers("dilations") or ones
    lists = (kernel, stride, dilation)
    if any(len(item) != rank or min(item) < 1 for item in lists):
        seen = f"kernel {kernel}, strides {stride}, dilations {dilation}"
        raise call.refuse(seen, f"{rank} positive values each")
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    before, after = _pads(call, image, reach, stride)
    extra, out = [], []
    for axis in range(rank):
        room = image[axis] + before[axis] + after[axis] - reach[axis]
        steps = room // stride[axis]
        if call.integer("ceil_mode", 0) and room % stride[axis]:
            starts_inside = (steps + 1) * stride[axis] < image[axis] + before[axis]
            steps += int(starts_inside)
        extra.append(max(0, steps * stride[axis] - room))
        out.append(steps + 1)
        if room < 0:
            raise call.refuse(f"kernel reach {reach}, image {image}", "a window inside the image")
    ends = tuple(a + e for a, e in zip(after, extra, strict=True))
    return Window(
        kernel=_pair(kernel, 1),
        stride=_pair(stride, 1),
        pad=(*_pair(before, 0), *_pair(ends, 0)),
        declared=(*_pair(before, 0), *_pair(after, 0)),
        dilation=_pair(dilation, 1),
        out=_pair(tuple(out), 1),
    )


def _pads(
    call: Call, image: tuple[int, ...], reach: tuple[int, ...], stride: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    rank = len(image)
    mode = call.text("auto_pad", "NOTSET")
    pads = call.integers("pads") or (0,) * (2 * rank)
    if mode == "VALID":
        return (0,) * rank, (0,) * rank
    if mode == "NOTSET":
        if len(pads) != 2 * rank or min(pads) < 0:
            raise call.refuse(f"pads {pads}", f"{2 * rank} values of 0 or more")
        return pads[:rank], pads[rank:]
    if mode not in {"SAME_UPPER", "SAME_LOWER"}:
        raise call.refuse(f"auto_pad {mode}", "NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    sums = [
        max(0, (-(-i // s) - 1) * s + r - i) for i, r, s in zip(image, reach, stride, strict=True)
    ]
    small, large = tuple(s // 2 for s in sums), tuple(s - s // 2 for s in sums)
    return (small, large) if mode == "SAME_UPPER" else (large, small)


def _pair(values: tuple[int, ...], lifted: int) -> Pair:
    return (lifted, values[0]) if len(values) == 1 else (values[0], values[1])
