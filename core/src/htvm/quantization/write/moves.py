"""Ops that move, pick or clip elements, which every written form shares."""

from __future__ import annotations

import numpy as np

from htvm.errors import InternalError
from htvm.ir.graph import Node
from htvm.ir.ops import Concat, MaxPool2d, Pad, Reshape, Transpose
from htvm.quantization.network import AvgPool, Conv
from htvm.quantization.write.model import ModelWriter


def move(writer: ModelWriter, layer: Node, inputs: tuple[str, ...], output: str) -> None:
    """Write a layer that moves or picks elements."""
    op, name = layer.op, layer.name
    if isinstance(op, Reshape):
        shape = writer.constant(f"{output}_shape", [-1, *op.shape[1:]], "int64")
        writer.node("Reshape", (*inputs, shape), output, name=name)
    elif isinstance(op, Transpose):
        writer.node("Transpose", inputs, output, name=name, perm=op.perm)
    elif isinstance(op, Pad):
        amounts = writer.constant(f"{output}_pads", [*op.before, *op.after], "int64")
        value = writer.constant(f"{output}_value", float(op.value))
        writer.node("Pad", (*inputs, amounts, value), output, name=name)
    elif isinstance(op, Concat):
        writer.node("Concat", inputs, output, name=name, axis=op.axis)
    elif isinstance(op, MaxPool2d):
        frame = {"kernel_shape": op.kernel, "strides": op.stride, "pads": op.pad}
        writer.node("MaxPool", inputs, output, name=name, **frame)
    else:
        raise InternalError(f"no ONNX form of {type(op).__name__} ({name})")


def clip(
    writer: ModelWriter, x: str, output: str, bounds: tuple[float, float], name: str = ""
) -> None:
    """Write a Clip; an infinite bound is left out."""
    ends = [
        writer.constant(f"{output}_{end}", np.float32(bound)) if np.isfinite(bound) else ""
        for end, bound in zip(("lo", "hi"), bounds, strict=True)
    ]
    writer.node("Clip", (x, *ends), output, name=name)


def is_move(op: object) -> bool:
    """Whether :func:`move` writes it."""
    return isinstance(op, Reshape | Transpose | Pad | Concat | MaxPool2d)


def conv_attributes(op: Conv) -> dict[str, object]:
    """Attributes of a Conv."""
    return {
        "kernel_shape": op.weights.shape[2:],
        "strides": op.stride,
        "pads": op.pad,
        "dilations": op.dilation,
        "group": op.groups,
    }


def is_global(op: AvgPool, shape: tuple[int, ...]) -> bool:
    """Whether a pool covers the whole image of this shape."""
    return op.kernel == shape[2:] and not any(op.pad)
