"""Ops that move elements without changing them."""

from __future__ import annotations

import numpy as np

from htvm.ir.ops import Concat, Pad, Reshape, Slice, Transpose
from htvm.numerics.arithmetic import Numbers


def transpose(op: Transpose, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Transpose`."""
    return x.transpose(op.perm)


def reshape(op: Reshape, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Reshape`."""
    return x.reshape(op.shape)


def pad(op: Pad, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Pad`."""
    return np.pad(x, tuple(zip(op.before, op.after, strict=True)), constant_values=op.value)


def slice_(op: Slice, x: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Slice`."""
    return x[tuple(map(slice, op.start, op.stop, op.step))]


def concat(op: Concat, *parts: Numbers) -> Numbers:
    """Execute :class:`~htvm.ir.ops.Concat`."""
    return np.concatenate(parts, axis=op.axis)
