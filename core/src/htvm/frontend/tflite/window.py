"""Windows that slide over images: sizes, strides and padding of convolutions and pools."""

from __future__ import annotations

from htvm.frontend import refuse
from htvm.frontend.tflite.call import Call
from htvm.ir.ops import Pads, Pair

_SAME, _VALID = 0, 1


def strides(call: Call) -> Pair:
    """Strides of the op, ``(height, width)``.

    Raises:
        UnsupportedModelError: one is not positive.
    """
    stride = (call.operator.flag("StrideH"), call.operator.flag("StrideW"))
    if min(stride) < 1:
        raise call.refuse(f"strides {stride}", "strides of at least 1")
    return stride


def placed(call: Call, size: Pair, window: Pair, stride: Pair) -> tuple[Pads, Pair]:
    """Padding and output size of a window of this extent (dilation included).

    Raises:
        UnsupportedModelError: the window does not fit the image.
    """
    padding = call.operator.flag("Padding")
    if padding not in {_SAME, _VALID}:
        raise call.refuse(f"padding {padding}", "SAME or VALID")
    if padding == _VALID:
        if size[0] < window[0] or size[1] < window[1]:
            raise call.refuse(f"window {window} in image {size}", "a window inside the image")
        rows, columns = ((size[i] - window[i]) // stride[i] + 1 for i in (0, 1))
        return (0, 0, 0, 0), (rows, columns)
    rows, columns = (-(-size[i] // stride[i]) for i in (0, 1))
    height = max(0, (rows - 1) * stride[0] + window[0] - size[0])
    width = max(0, (columns - 1) * stride[1] + window[1] - size[1])
    if (size[0] + height) * (size[1] + width) > refuse.MAX_ELEMENTS:
        raise call.refuse(f"window {window} in image {size}", "a window near the image's size")
    # The odd element goes below and to the right.
    pad = (height // 2, width // 2, height - height // 2, width - width // 2)
    return pad, (rows, columns)
