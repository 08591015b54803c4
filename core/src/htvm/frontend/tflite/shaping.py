"""Ops that move elements: shapes, axes, padding, joining."""

from __future__ import annotations

from htvm.frontend.tflite.arithmetic import scale_key
from htvm.frontend.tflite.call import Call, reshaped
from htvm.ir.ops import Concat, Pad, Reshape, Transpose


def reshape(call: Call) -> None:
    """RESHAPE: the target is the second operand, or else the shape the file gives the result."""
    wanted = call.integers(1) if call.has(1) else list(call.output().shape)
    shape = reshaped(call.shape(0), wanted)
    if shape is None:
        raise call.refuse(f"{list(call.shape(0))} to {wanted}", "as many elements as before")
    _reshape(call, shape)


def squeeze(call: Call) -> None:
    """SQUEEZE: drops the axes named, or every one of extent 1."""
    shape = call.shape(0)
    dims = call.operator.options["SqueezeDims"]
    named = dims if isinstance(dims, tuple) else ()
    axes = {call.axis(axis, len(shape), "plain") for axis in named}
    dropped = axes or {axis for axis, size in enumerate(shape) if size == 1}
    if any(shape[axis] != 1 for axis in dropped):
        raise call.refuse(f"axes {sorted(dropped)} of {list(shape)}", "axes of extent 1")
    _reshape(call, tuple(size for axis, size in enumerate(shape) if axis not in dropped))


def expand_dims(call: Call) -> None:
    """EXPAND_DIMS: puts in an axis of extent 1."""
    shape = call.shape(0)
    axes = call.integers(1)
    if len(axes) != 1:
        raise call.refuse(f"{len(axes)} axes", "one axis")
    axis = call.axis(axes[0], len(shape) + 1, "plain")
    _reshape(call, (*shape[:axis], 1, *shape[axis:]))


def transpose(call: Call) -> None:
    """TRANSPOSE."""
    shape = call.shape(0)
    perm = tuple(call.integers(1))
    if sorted(perm) != list(range(len(shape))):
        raise call.refuse(f"permutation {list(perm)}", f"the axes 0 to {len(shape) - 1}, each once")
    result = tuple(shape[axis] for axis in perm)
    call.finish(Transpose(perm=perm), (call.plain(0),), result, "plain")


def pad(call: Call) -> None:
    """PAD: with the zero point, or with 0 where nothing is quantised."""
    quantised = call.output().type in {"INT8", "UINT8"} and call.output().zero_point
    _pad(call, call.output().zero_point[0] if quantised else 0)


def pad_v2(call: Call) -> None:
    """PADV2: with a given value."""
    value = call.constant(2)
    if value.size != 1 or value.dtype.kind not in "iu":
        raise call.refuse(f"padding value {value.dtype} {list(value.shape)}", "one integer")
    _pad(call, int(value.ravel()[0]))


def concatenation(call: Call) -> None:
    """CONCATENATION of operands with one scale."""
    count = len(call.operator.inputs)
    numbers = range(count)
    if call.output().type == "INT8":
        scales = {scale_key(scale) for scale in call.scales(*numbers)}
        if len(scales) != 1:
            raise call.refuse(f"{len(scales)} different scales", "operands and result of one scale")
    if call.operator.flag("FusedActivationFunction"):
        raise call.refuse("a fused activation", "none")
    form = call.form(*numbers)
    ranks = {len(call.shape(number)) for number in numbers}
    if len(ranks) != 1:
        raise call.refuse("operands of different ranks", "operands of one rank")
    axis = call.axis(call.operator.flag("Axis"), ranks.pop(), form)
    names = [call.take(number, form) for number in numbers]
    shapes = [call.scope.tensor(name).shape for name in names]
    around = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(around) != 1:
        raise call.refuse(f"shapes {shapes}", f"shapes that differ along axis {axis} only")
    total = sum(shape[axis] for shape in shapes)
    shape = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
    call.finish(Concat(axis=axis), names, shape, form)


def _reshape(call: Call, shape: tuple[int, ...]) -> None:
    name = call.scope.in_order(call.input(0))
    call.finish(Reshape(shape=shape), (name,), shape, "plain")


def _pad(call: Call, value: int) -> None:
    form = call.form(0)
    name = call.take(0, form)
    amounts = call.integers(1)
    rank = len(call.shape(0))
    if len(amounts) != 2 * rank or min(amounts) < 0:
        raise call.refuse(f"paddings {amounts}", f"{rank} pairs of numbers from 0 up")
    before = call.arrange(amounts[::2], form)
    after = call.arrange(amounts[1::2], form)
    size = call.scope.tensor(name).shape
    shape = tuple(b + s + a for b, s, a in zip(before, size, after, strict=True))
    call.finish(Pad(before=before, after=after, value=value), (name,), shape, form)
