"""One node of the source with what its inputs turned out to be: what every rule is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from htvm.errors import UnsupportedModelError
from htvm.frontend import refuse
from htvm.frontend.onnx.build import Builder
from htvm.frontend.onnx.model import Model, OnnxNode
from htvm.frontend.onnx.values import Known, Value
from htvm.ir.tensor import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """A source node about to be read.

    Attributes:
        node: The source node.
        values: Its inputs, None for an absent one.
        builder: The integer graph so far.
        model: The whole source.
    """

    node: OnnxNode
    values: tuple[Value | None, ...]
    builder: Builder
    model: Model

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.node.name

    @property
    def output(self) -> str:
        """Name of its first output."""
        return self.node.outputs[0]

    @property
    def opset(self) -> int:
        """Version of ONNX's own operators."""
        return self.model.opset

    def sources(self, *values: Value | None) -> tuple[str, ...]:
        """Source nodes absorbed with these inputs (all if none is given), this node last."""
        told: list[str] = []
        for value in values or self.values:
            if value is not None:
                told.extend(value.sources)
        return tuple(dict.fromkeys([*told, self.name]))

    def optional(self, index: int) -> Value | None:
        """Input ``index``, or None if absent."""
        return self.values[index] if index < len(self.values) else None

    def value(self, index: int) -> Value:
        """Input ``index``.

        Raises:
            UnsupportedModelError: it is absent.
        """
        value = self.optional(index)
        if value is None:
            raise self.refuse(f"input {index} is absent", f"an input {index}")
        return value

    def known(self, index: int) -> Array | None:
        """Numbers of constant input ``index``, or None if absent.

        Raises:
            UnsupportedModelError: it is computed.
        """
        value = self.optional(index)
        if value is None:
            return None
        if not isinstance(value, Known):
            raise self.refuse(f"input {value.name!r} is computed", "a constant")
        return value.real

    def number(self, index: int) -> float | None:
        """The one number of constant input ``index``, or None if absent."""
        array = self.known(index)
        if array is None:
            return None
        if array.size != 1:
            raise self.refuse(f"input {index} of shape {list(array.shape)}", "a scalar")
        return float(array.reshape(-1)[0])

    def integer(self, attribute: str, default: int) -> int:
        """An integer attribute."""
        value = self.node.attributes.get(attribute, default)
        if not isinstance(value, int):
            raise self.refuse(f"{attribute} is {value!r}", "an integer")
        return value

    def real(self, attribute: str, default: float) -> float:
        """A float attribute."""
        value = self.node.attributes.get(attribute, default)
        if not isinstance(value, int | float):
            raise self.refuse(f"{attribute} is {value!r}", "a number")
        return float(value)

    def text(self, attribute: str, default: str) -> str:
        """A string attribute."""
        value = self.node.attributes.get(attribute, default)
        if not isinstance(value, str):
            raise self.refuse(f"{attribute} is {value!r}", "a string")
        return value

    def integers(self, attribute: str, index: int | None = None) -> tuple[int, ...] | None:
        """Integers of an attribute, or of the input that replaced it in a later opset."""
        value = self.node.attributes.get(attribute)
        if value is None and index is not None:
            array = self.known(index)
            return None if array is None else tuple(int(item) for item in array.reshape(-1))
        if value is None:
            return None
        if isinstance(value, int):
            return (value,)
        if not isinstance(value, tuple) or not all(isinstance(item, int) for item in value):
            raise self.refuse(f"{attribute} is {value!r}", "integers")
        return tuple(int(item) for item in value)

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front.

        Raises:
            UnsupportedModelError: there is no such axis.
        """
        if not -rank <= axis < rank:
            raise self.refuse(f"axis {axis} of a tensor of rank {rank}", f"-{rank} to {rank - 1}")
        return axis % rank

    def refuse(self, seen: str, accepted: str) -> UnsupportedModelError:
        """The error that this node cannot be taken as it is."""
        return refuse.unsupported_use(self.name, self.node.op, seen, accepted)


Result = Value | Sequence[Value]
Rule = Callable[[Call], Result]


def finite(call: Call, owner: str, array: Array) -> Array:
    """The array, if it holds numbers only.

    Raises:
        UnsupportedModelError: a NaN or an infinity (E205).
    """
    if array.dtype.kind == "f" and not bool(np.isfinite(array).all()):
        seen = f"{array[~np.isfinite(array)].reshape(-1)[0]} (read by node {call.name!r})"
        raise refuse.bad_number(f"tensor {owner!r}", seen, "finite numbers")
    return array


def join(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Names in order, each once."""
    return tuple(dict.fromkeys(name for part in parts for name in part))
