"""The ops of the integer graph.

Each class is one op with its attributes; what it computes is its docstring, and
:mod:`htvm.numerics` executes exactly that. Tensors are inputs of the :class:`~htvm.ir.graph.Node`,
in the order the docstring gives; ``?`` marks one that may be absent. Images are NCHW with N = 1,
weights OIHW. ``pad`` is ``(top, left, bottom, right)``; pairs are ``(height, width)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from htvm.ir.dtype import DType

Pair = tuple[int, int]
Pads = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Op:
    """Base of all ops."""

    @property
    def kind(self) -> str:
        """Lower-case name of the op, as reports show it."""
        return type(self).__name__.lower()


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2d(Op):
    """``(x, w, b?) -> int32``: sum of ``(x - x_zp) * (w - w_zp)`` over the window, plus ``b``.

    ``x`` int8 or uint8 ``(1, C, H, W)``, ``w`` int8 or uint8 ``(K, C/groups, kh, kw)``, ``b`` int32
    ``(K,)``. Padding contributes nothing, that is, it holds ``x_zp``. Accumulates modulo 2**32.
    """

    stride: Pair = (1, 1)
    pad: Pads = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    input_zero_point: int = 0
    weight_zero_point: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(Op):
    """``(x, w, b?) -> int32``: ``x (.., K)``, ``w (N, K)``, ``b (N,)``; result ``(.., N)``."""

    input_zero_point: int = 0
    weight_zero_point: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatConv2d(Op):
    """``(x, w, b?) -> float32``: a convolution in floats, summed in one order.

    ``x`` float32 ``(1, C, H, W)``, or int8 or uint8: then each element stands for
    ``f32(f32(x - input_zero_point) * input_scale)``, as :class:`Dequantize` has it, and no float
    copy of the whole input is ever needed. ``w`` float32 ``(K, C/groups, kh, kw)``, ``b`` float32
    ``(K,)``.

    Each sum starts from +0 and takes the products in the order of the weights, channels, then rows,
    then columns; ``b`` comes last. Every product and every addition is rounded to float32. Padding
    holds +0, which leaves a sum as it is, so it makes no difference whether it is added.
    """

    stride: Pair = (1, 1)
    pad: Pads = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    input_scale: float = 1.0
    input_zero_point: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatDense(Op):
    """``(x, w, b?) -> float32``: ``x (.., K)``, ``w (N, K)``, ``b (N,)``; result ``(.., N)``.

    Summed from +0 along ``K`` in index order, then ``b``, each step rounded to float32. ``x`` is
    float32, int8 or uint8, as in :class:`FloatConv2d`.
    """

    input_scale: float = 1.0
    input_zero_point: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class MatMul(Op):
    """``(a, b) -> int32``: numpy's ``matmul`` of two computed 8-bit tensors, minus zero points."""

    a_zero_point: int = 0
    b_zero_point: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Elementwise(Op):
    """``(a, b) -> same type``: both int32 or both float32, numpy broadcasting.

    Integers wrap modulo 2**32; floats round once to float32. ``div`` is for floats only.
    """

    function: Literal["add", "sub", "mul", "div", "min", "max"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip(Op):
    """``(x) -> x's type``: ``min(max(x, lo), hi)``."""

    lo: float
    hi: float


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool2d(Op):
    """``(x) -> x's type``: greatest element of each window; padding never wins."""

    kernel: Pair
    stride: Pair
    pad: Pads = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class SumPool2d(Op):
    """``(x) -> int32``: sum of ``x - input_zero_point`` over each window; padding adds 0.

    Of a float32 ``x`` the sum is float32, from +0 row by row, each addition rounded.
    """

    kernel: Pair
    stride: Pair
    pad: Pads = (0, 0, 0, 0)
    input_zero_point: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class AvgPool2d(Op):
    """``(x) -> x's type``: TFLite's average pool.

    ``n`` counts the window's elements inside the image; ``s`` is the plain sum of them;
    result ``clip((s + n//2) / n if s > 0 else (s - n//2) / n, lo, hi)``, division truncating.
    """

    kernel: Pair
    stride: Pair
    pad: Pads = (0, 0, 0, 0)
    lo: int = -128
    hi: int = 127


@dataclass(frozen=True, kw_only=True, eq=False)
class ReduceSum(Op):
    """``(x) -> int32``: sum of ``x - input_zero_point`` over ``axes``.

    Of a float32 ``x`` the sum is float32, from +0 in index order, each addition rounded.
    """

    axes: tuple[int, ...]
    keepdims: bool = True
    input_zero_point: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Transpose(Op):
    """``(x) -> x's type``: axis ``i`` of the result is axis ``perm[i]`` of ``x``."""

    perm: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reshape(Op):
    """``(x) -> x's type``: the same elements in row-major order, of ``shape``."""

    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pad(Op):
    """``(x) -> x's type``: ``before[i]``/``after[i]`` elements of ``value`` on axis ``i``."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    value: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice(Op):
    """``(x) -> x's type``: ``x[start:stop:step]`` on every axis, steps positive."""

    start: tuple[int, ...]
    stop: tuple[int, ...]
    step: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(Op):
    """``(x0, x1, ..) -> their type``: joined along ``axis``."""

    axis: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Cast(Op):
    """``(x) -> out``: C conversion that keeps every value; int -> float32 rounds to even."""

    out: DType


@dataclass(frozen=True, kw_only=True, eq=False)
class Lut(Op):
    """``(x) -> table's type``: ``table[x - least value of x's type]``, 256 entries."""

    table: npt.NDArray[np.generic]
    out: DType


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantize(Op):
    """``(x float32) -> out``: ``clip(round(f32(x / scale)) + zero_point, lo, hi)``.

    ``scale`` has length 1 or that of ``axis``. ``rounding`` says where ties go: to even (C's
    ``rintf``; ONNX) or away from zero (C's ``roundf``; TFLite).
    """

    scale: npt.NDArray[np.float32]
    zero_point: int
    out: DType
    lo: int
    hi: int
    axis: int | None = None
    rounding: Literal["even", "away"] = "even"


@dataclass(frozen=True, kw_only=True, eq=False)
class Dequantize(Op):
    """``(x) -> float32``: ``f32(f32(x - zero_point) * scale)``."""

    scale: npt.NDArray[np.float32]
    zero_point: int
    axis: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class SoftmaxTflite(Op):
    """``(x int8) -> int8``: TFLite's reference int8 softmax over the last axis.

    Fixed point throughout: differences to the row's maximum scaled by ``mul``/``left_shift`` to
    Q5.26, those below ``diff_min`` dropped, exp and reciprocal in 32-bit fixed point.
    """

    mul: int
    left_shift: int
    diff_min: int


@dataclass(frozen=True, kw_only=True, eq=False)
class SoftmaxTable(Op):
    """``(x int8/uint8) -> float32``: softmax over ``axis`` by a table of exponentials.

    ``e[i] = table[max(x) - x[i]]`` (float32, 256 entries), ``s`` the float32 sum of ``e`` in index
    order, result ``f32(e[i] / s)``.
    """

    table: npt.NDArray[np.float32]
    axis: int


@dataclass(frozen=True, kw_only=True, eq=False)
class QLinearSoftmax(Op):
    """``(x int8/uint8) -> same type``: onnxruntime's quantised softmax over ``axis``.

    ``e[i] = table[255 - (max(x) - x[i])]``, ``s`` their float32 sum in index order, result
    ``clip(rint(f32(f32(e[i] * scale) / s)) + zero_point)``, ``scale = floor(1 / output scale)``.
    """

    table: npt.NDArray[np.float32]
    scale: float
    zero_point: int
    axis: int
