"""A matched layer as plain integer arithmetic: what is computed, free of nodes and of placement."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from htvm.api import (
    Folded,
    Hardware,
    InternalError,
    Layer,
    Node,
    Unfoldable,
    fold,
    folded,
    ops,
    requant,
)

ENGINE = "digital"

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolution:
    """``out = sat8(relu((bias + conv(x, weights)) >> shift))``.

    Attributes:
        weights: ``(K, C/groups, kh, kw)``, dilation already spread out.
        bias: ``(K,)``.
        shift: 0..31.
        relu: Whether negative results become 0.
        input_shape: ``(C, H, W)``.
        output_shape: ``(K, OH, OW)``.
        stride: Rows and columns.
        pad: Zero rows above and zero columns to the left; those below and to the right follow from
            the output's size.
        groups: Convolution groups.
        macs: Multiply-accumulates of the source's definition.
    """

    weights: Int8s
    bias: Int32s
    shift: int
    relu: bool
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    groups: int = 1
    macs: int = 0

    @property
    def kernel(self) -> tuple[int, int]:
        """Kernel rows and columns."""
        return self.weights.shape[2], self.weights.shape[3]

    @property
    def depthwise(self) -> bool:
        """Whether every output channel reads just the input channel of its own number."""
        return self.groups > 1 and self.groups == self.input_shape[0] == self.output_shape[0]

    @property
    def pointwise(self) -> bool:
        """Whether output pixels depend on the input pixel at the same place only."""
        same = self.input_shape[1:] == self.output_shape[1:]
        return same and self.kernel == (1, 1) and self.stride == (1, 1) and self.pad == (0, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """``out = sat8(relu((bias + weights x) >> shift))`` with weights ``(N, C)``."""

    weights: Int8s
    bias: Int32s
    shift: int
    relu: bool
    macs: int = 0


@dataclass(frozen=True, kw_only=True)
class Addition:
    """``out = sat8(relu((bias + sum factor * x) >> shift))``, the same for every element.

    Attributes:
        factors: One int8 integer for each input of the layer.
        bias: int32.
        shift: 0..31.
        relu: Whether negative results become 0.
    """

    factors: tuple[int, ...]
    bias: int
    shift: int
    relu: bool

    @property
    def plain(self) -> bool:
        """Whether the core's element-wise sum computes it."""
        return self.factors == (1, 1) and self.bias == 0 and not self.relu


def convolution(layer: Layer, hardware: Hardware) -> Convolution:
    """The arithmetic of a layer that matched a convolution and folds.

    Groups other than depthwise are written out as one group.
    """
    op, core = layer.op("conv"), _foldable(layer, "conv2d", hardware)
    assert isinstance(op, ops.Conv2d)
    form = Convolution(
        weights=_spread(core.weights.astype(np.int8), op.dilation),
        bias=core.bias.astype(np.int32),
        shift=int(core.shift[0]),
        relu=core.clip[0] == 0,
        input_shape=_chw(layer.inputs[0].shape),
        output_shape=_chw(layer.output.shape),
        stride=op.stride,
        pad=op.pad[:2],
        groups=op.groups,
        macs=layer.macs,
    )
    return form if form.depthwise or form.groups == 1 else without_groups(form)


def matrix(layer: Layer, hardware: Hardware) -> Matrix:
    """The arithmetic of a layer that matched a dense layer and folds."""
    core = _foldable(layer, "dense", hardware)
    return Matrix(
        weights=core.weights.astype(np.int8),
        bias=core.bias.astype(np.int32),
        shift=int(core.shift[0]),
        relu=core.clip[0] == 0,
        macs=layer.macs,
    )


def addition(layer: Layer, hardware: Hardware) -> Addition | str:
    """The arithmetic of a layer that matched an addition, or why the core has none for it."""
    factors = _factors(layer)
    op = layer.op("requant")
    if isinstance(factors, str) or not isinstance(op, requant.ShiftRequant):
        return factors if isinstance(factors, str) else "requantisation is not a shift"
    count = max(op.mul.size, op.add.size, op.shift.size)
    table = np.tile(np.array(factors, np.int64), (count, 1))
    core = fold(table, None, op, hardware.engines[ENGINE].contract("add"))
    if isinstance(core, Unfoldable):
        return core.seen
    if len(np.unique(np.column_stack([core.weights, core.bias]), axis=0)) > 1:
        return "multipliers or constants differ from channel to channel"
    return Addition(
        factors=tuple(int(factor) for factor in core.weights[0]),
        bias=int(core.bias[0]),
        shift=int(core.shift[0]),
        relu=core.clip[0] == 0,
    )


def without_groups(form: Convolution) -> Convolution:
    """The same convolution with one group: weights zero between different groups."""
    outputs, inner, rows, columns = form.weights.shape
    wide = np.zeros((outputs, form.groups, inner, rows, columns), np.int8)
    group = np.arange(outputs) // (outputs // form.groups)
    wide[np.arange(outputs), group] = form.weights
    weights = wide.reshape(outputs, form.input_shape[0], rows, columns)
    return replace(form, weights=weights, groups=1)


def transposed(form: Convolution) -> Convolution:
    """The same convolution on the transposed map."""

    def swap(shape: tuple[int, int, int]) -> tuple[int, int, int]:
        return shape[0], shape[2], shape[1]

    return replace(
        form,
        weights=np.ascontiguousarray(form.weights.transpose(0, 1, 3, 2)),
        input_shape=swap(form.input_shape),
        output_shape=swap(form.output_shape),
        stride=form.stride[::-1],
        pad=form.pad[::-1],
    )


def _foldable(layer: Layer, kind: str, hardware: Hardware) -> Folded:
    core = folded(layer, hardware.engines[ENGINE].contract(kind))
    if not isinstance(core, Folded):
        raise InternalError(f"{layer.name} passed a pattern it must not: {core}")
    return core


def _factors(layer: Layer) -> tuple[int, ...] | str:
    """What each of the layer's inputs is multiplied by before the requantisation."""
    total: dict[str, int] = {}
    for sign, name in zip(_signs(layer.captures["add"]), layer.captures["add"].inputs, strict=True):
        factor = _term(layer, name)
        if isinstance(factor, str):
            return factor
        total[factor[0]] = total.get(factor[0], 0) + sign * factor[1]
    if 0 in _signs(layer.captures["add"]):
        return "the operation is not an addition"
    return tuple(total[tensor.name] for tensor in layer.inputs)


def _signs(node: Node) -> tuple[int, int]:
    assert isinstance(node.op, ops.Elementwise)
    return {"add": (1, 1), "sub": (1, -1)}.get(node.op.function, (0, 0))


def _term(layer: Layer, name: str) -> tuple[str, int] | str:
    """The layer input behind ``name`` and the whole number it is multiplied by."""
    factor = 1
    made = {node.output: node for node in layer.nodes}
    while name in made:
        node = made[name]
        if isinstance(node.op, ops.Elementwise):
            value = layer.tensors[node.inputs[1]].value
            if node.op.function != "mul" or value is None or np.unique(value).size != 1:
                return f"an operand is scaled by more than one whole number ({node.name})"
            factor *= int(np.asarray(value).flat[0])
        elif not isinstance(node.op, ops.Cast):
            return f"an operand is requantised before the addition ({node.name})"
        name = node.inputs[0]
    return name, factor


def _spread(weights: Int8s, dilation: tuple[int, int]) -> Int8s:
    """Weights of the undilated kernel that reads the same pixels."""
    outputs, channels, rows, columns = weights.shape
    size = ((rows - 1) * dilation[0] + 1, (columns - 1) * dilation[1] + 1)
    wide = np.zeros((outputs, channels, *size), np.int8)
    wide[:, :, :: dilation[0], :: dilation[1]] = weights
    return wide


def _chw(shape: tuple[int, ...]) -> tuple[int, int, int]:
    channels, height, width = shape[-3:]
    return channels, height, width
