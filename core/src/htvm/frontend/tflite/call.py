"""One op being converted: its operands, its options, and where its result goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from htvm.errors import UnsupportedModelError
from htvm.frontend import refuse
from htvm.frontend.tflite.model import FileTensor, Operator
from htvm.frontend.tflite.multiplier import activation_range
from htvm.frontend.tflite.scope import PERMUTATION, Form, Scope
from htvm.ir.dtype import DType
from htvm.ir.ops import Op
from htvm.ir.tensor import Array

_SCALE_BITS = 60


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Per-tensor quantisation of an int8 tensor: ``real = scale * (integer - zero_point)``."""

    scale: float
    zero_point: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """An operator together with the graph it is added to."""

    scope: Scope
    operator: Operator

    @property
    def name(self) -> str:
        """TFLite's ops have no name: that of the first result."""
        return self.output().name

    def input(self, number: int) -> FileTensor:
        """An operand.

        Raises:
            UnsupportedModelError: the op lacks it.
        """
        if not self.has(number):
            raise self.refuse(
                f"{len(self.operator.inputs)} operands", f"an operand number {number}"
            )
        return self.scope.model.tensors[self.operator.inputs[number]]

    def has(self, number: int) -> bool:
        """Whether the op has this operand."""
        return number < len(self.operator.inputs) and self.operator.inputs[number] >= 0

    def output(self, number: int = 0) -> FileTensor:
        """A result."""
        if number >= len(self.operator.outputs):
            raise refuse.malformed(
                self.scope.source.path, f"an op {self.operator.kind} without results", "a result"
            )
        return self.scope.model.tensors[self.operator.outputs[number]]

    def refuse(self, seen: str, accepted: str) -> UnsupportedModelError:
        """The error that says why this op cannot be taken."""
        return refuse.unsupported_use(self.name, self.operator.kind, seen, accepted)

    def shape(self, number: int) -> tuple[int, ...]:
        """Shape of an operand, in the file's order."""
        return self.scope.shape(self.input(number))

    def plain(self, number: int) -> str:
        """The graph's tensor of an operand in the file's order."""
        return self.scope.get(self.input(number), "plain")

    def image(self, number: int) -> str:
        """The graph's tensor of an operand in NCHW order.

        Raises:
            UnsupportedModelError: it is not one image.
        """
        shape = self.shape(number)
        if len(shape) != 4 or shape[0] != 1:
            raise self.refuse(f"shape {list(shape)}", "one image: [1, height, width, channels]")
        return self.scope.get(self.input(number), "image")

    def form(self, *numbers: int) -> Form:
        """The order in which operands can be taken together without transposing, if there is one.

        It is NCHW as soon as one operand is computed so and every computed one has four axes.
        """
        operands = [self.input(number) for number in numbers]
        computed = [t for t in operands if not self.scope.is_constant(t)]
        ranks = {len(self.scope.shape(tensor)) for tensor in computed}
        fits = all(len(self.scope.shape(tensor)) <= 4 for tensor in operands)
        forms = {self.scope.form(tensor) for tensor in computed}
        return "image" if fits and ranks == {4} and "image" in forms else "plain"

    def take(self, number: int, form: Form) -> str:
        """The graph's tensor of an operand in ``form``; lower ranks get leading axes of 1."""
        tensor = self.input(number)
        shape = self.scope.shape(tensor)
        if form == "image" and len(shape) < 4:
            wide = self.constant(number).reshape((1,) * (4 - len(shape)) + shape)
            return self.scope.constant(tensor, "image", wide.transpose(PERMUTATION["image"]))
        return self.scope.get(tensor, form)

    def axis(self, axis: int, rank: int, form: Form) -> int:
        """Where an axis of the file's order is in ``form``; negative ones count from the end.

        Raises:
            UnsupportedModelError: there is no such axis.
        """
        if not -rank <= axis < rank:
            raise self.refuse(f"axis {axis} of {rank}", "an axis of the operand")
        return PERMUTATION["plain"][axis % rank] if form == "image" else axis % rank

    def arrange(self, values: Sequence[int], form: Form) -> tuple[int, ...]:
        """One number per axis of the file's order, brought into the order of ``form``."""
        if form == "plain":
            return tuple(values)
        return tuple(values[axis] for axis in PERMUTATION["image"])

    def constant(self, number: int) -> Array:
        """Elements of an operand that must be known.

        Raises:
            UnsupportedModelError: it is computed.
        """
        tensor = self.input(number)
        if not self.scope.is_constant(tensor):
            raise self.refuse(f"operand {tensor.name!r} is computed", "a constant operand")
        return self.scope.value(tensor)

    def integers(self, number: int) -> list[int]:
        """Elements of a constant operand that holds axes, extents or positions."""
        value = self.constant(number)
        if value.dtype.kind != "i" or value.dtype.itemsize < 4:
            raise self.refuse(f"operand {number} of type {value.dtype}", "INT32 or INT64")
        return [int(element) for element in value.ravel()]

    def scale(self, tensor: FileTensor) -> Scale:
        """Scale and zero point of an int8 activation.

        Raises:
            UnsupportedModelError: it is of another type, or its quantisation makes no sense.
        """
        if tensor.type != "INT8":
            raise self.refuse(f"tensor {tensor.name!r} of type {tensor.type}", "INT8 activations")
        if len(tensor.scale) != 1 or len(tensor.zero_point) != 1:
            raise self.refuse(
                f"tensor {tensor.name!r} with {len(tensor.scale)} scales", "one scale per tensor"
            )
        (scale,), (zero_point,) = tensor.scale, tensor.zero_point
        check_scale(tensor.name, scale)
        if not -128 <= zero_point <= 127:
            raise refuse.bad_number(
                f"tensor {tensor.name!r}", f"zero point {zero_point}", "-128 to 127"
            )
        return Scale(scale=scale, zero_point=zero_point)

    def scales(self, *numbers: int) -> tuple[Scale, ...]:
        """Quantisation of these operands, then that of the result."""
        return (*(self.scale(self.input(n)) for n in numbers), self.scale(self.output()))

    def clip(self) -> tuple[int, int]:
        """Least and greatest value the fused activation lets through."""
        function = self.operator.flag("FusedActivationFunction")
        scale = self.scale(self.output())
        bounds = activation_range(function, scale.scale, scale.zero_point)
        if bounds is None:
            raise self.refuse(f"fused activation {function}", "none, RELU, RELU6 or RELU_N1_TO_1")
        return bounds

    def emit(
        self, op: Op, inputs: Sequence[str], shape: tuple[int, ...], dtype: DType, suffix: str
    ) -> str:
        """Append an inner step of the op; returns the name of its result."""
        return self.scope.emit(
            op,
            inputs,
            name=f"{self.name}_{suffix}",
            shape=shape,
            dtype=dtype,
            source=self.name,
        )

    def finish(
        self,
        op: Op,
        inputs: Sequence[str],
        shape: tuple[int, ...],
        form: Form,
        *,
        output: int = 0,
    ) -> None:
        """Append the step that computes a result, of ``shape`` in ``form``."""
        self.scope.define(self.output(output), op, inputs, shape=shape, form=form)


def check_scale(owner: str, scale: float) -> None:
    """Refuse scales that are not positive, or so odd that their quotients overflow float32."""
    if not 2.0**-_SCALE_BITS <= scale <= 2.0**_SCALE_BITS:
        accepted = f"a positive scale from 2**-{_SCALE_BITS} to 2**{_SCALE_BITS}"
        raise refuse.bad_number(f"tensor {owner!r}", f"scale {scale}", accepted)


def reshaped(shape: tuple[int, ...], wanted: Sequence[int]) -> tuple[int, ...] | None:
    """``wanted`` with its one -1 filled in, or None if it does not hold as many elements."""
    total = prod(shape)
    known = prod(size for size in wanted if size != -1)
    if list(wanted).count(-1) == 1 and known > 0 and total % known == 0:
        return tuple(total // known if size == -1 else size for size in wanted)
    return tuple(wanted) if known == total and min(wanted, default=1) > 0 else None
