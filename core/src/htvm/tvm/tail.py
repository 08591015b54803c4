"""Layers that no hand-made kernel serves, as C through TVM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from htvm.target.layer import Layer
from htvm.target.source import Constant

if TYPE_CHECKING:
    from htvm.tvm.function import Lowering


@dataclass(frozen=True, kw_only=True, eq=False)
class TailCode:
    """The C of a layer in row-major layouts.

    Attributes:
        body: Statements of a function with the parameters ``in0``, ``in1``, .., ``out``,
            ``scratch`` and the constants' names, as in
            :class:`~htvm.target.source.LayerCode`.
        helpers: Complete static functions the body calls, in the order they must stand.
        includes: Headers the body needs.
        scratch_bytes: Size of ``scratch``, whatever its alignment.
        constants: The arrays the body reads, row-major.
    """

    body: str
    helpers: tuple[str, ...]
    includes: tuple[str, ...]
    scratch_bytes: int
    constants: tuple[Constant, ...]


_ALIGNED_BYTES = 4
"""Alignment every target gives ``scratch``."""


def lower_tail(layer: Layer, *, lowering: Lowering = "scheduled") -> TailCode:
    """Lower a layer of any ops; every tensor is taken row-major.

    Args:
        layer: The layer.
        lowering: See :func:`htvm.tvm.function.lower`.

    Raises:
        ToolError: if TVM is missing or another version than htvm works with.
    """
    from htvm.tvm.function import lower

    inputs = [tensor.name for tensor in layer.inputs]
    function = lower(layer.nodes, layer.tensors, inputs, lowering)
    body = function.body
    text, scratch_bytes = body.text, body.scratch_bytes
    if body.scratch_align_bytes > _ALIGNED_BYTES:
        text = f"scratch += -(uintptr_t)scratch & {body.scratch_align_bytes - 1}u;\n{text}"
        scratch_bytes += body.scratch_align_bytes - 1
    return TailCode(
        body=text,
        helpers=body.helpers,
        includes=("stdint.h", *body.headers),
        scratch_bytes=scratch_bytes,
        constants=function.constants,
    )
