"""A network being put together, with what is known of the size of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.ops import Op
from htvm.ir.tensor import Tensor, constant
from htvm.target.contract import Contract
from htvm.testing.drawing.deck import Deck

FLOAT_SPREAD = 0.6
"""Typical size of a float input, whose range is -1 to 1."""


@dataclass(frozen=True, kw_only=True)
class Want:
    """A tensor asked for.

    Attributes:
        shape: Its shape.
        dtype: Its element type.
    """

    shape: tuple[int, ...]
    dtype: DType

    def like(self, dtype: DType) -> Want:
        """The same shape with another type."""
        return Want(shape=self.shape, dtype=dtype)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large the elements of a tensor are.

    Attributes:
        spread: Typically, as a standard deviation.
        bound: At most.
    """

    spread: float
    bound: float


class Unsuited(Exception):
    """What was drawn so far cannot be finished; drawing starts anew."""


class Sketch:
    """Collects tensors and nodes; methods give the name of the tensor they add.

    Attributes:
        deck: Where choices come from.
        contract: What may be drawn.
    """

    def __init__(self, deck: Deck, contract: Contract) -> None:
        self.deck = deck
        self.contract = contract
        self._tensors: dict[str, Tensor] = {}
        self._sizes: dict[str, Size] = {}
        self._nodes: list[Node] = []
        self._inputs: list[str] = []

    def leaf(self, want: Want) -> str:
        """A tensor the caller gives; of two wanted alike, sometimes the same one twice."""
        for name in self._inputs:
            known = self._tensors[name]
            alike = (known.shape, known.dtype) == (want.shape, want.dtype)
            if alike and self.deck.pick("the same input twice", (False, False, False, True)):
                return name
        name = f"x{len(self._inputs)}"
        self._inputs.append(name)
        return self._keep(Tensor(name=name, shape=want.shape, dtype=want.dtype), whole(want.dtype))

    def constant(self, value: npt.ArrayLike, dtype: DType) -> str:
        """A constant."""
        array = np.asarray(value)
        name = f"c{sum(tensor.is_constant for tensor in self._tensors.values())}"
        size = Size(
            spread=float(np.sqrt(np.mean(np.square(array.astype(np.float64))))),
            bound=float(np.abs(array.astype(np.float64)).max()),
        )
        return self._keep(constant(name, array, dtype), size)

    def node(self, op: Op, inputs: Sequence[str], want: Want, size: Size) -> str:
        """The result of an op."""
        number = len(self._nodes)
        name = f"t{number}"
        self._nodes.append(
            Node(name=f"{op.kind}{number}", op=op, inputs=tuple(inputs), output=name)
        )
        return self._keep(Tensor(name=name, shape=want.shape, dtype=want.dtype), size)

    def tensor(self, name: str) -> Tensor:
        """A tensor."""
        return self._tensors[name]

    def size(self, name: str) -> Size:
        """How large its elements are."""
        return self._sizes[name]

    def graph(self, output: str) -> Graph:
        """The network that computes ``output``."""
        return Graph(
            name="drawn",
            inputs=tuple(self._inputs),
            outputs=(output,),
            nodes=tuple(self._nodes),
            tensors=dict(self._tensors),
            origin=Origin(path="drawn", format="built"),
        )

    def _keep(self, tensor: Tensor, size: Size) -> str:
        self._tensors[tensor.name] = tensor
        self._sizes[tensor.name] = size
        return tensor.name


def whole(dtype: DType) -> Size:
    """Elements over the whole range of a type."""
    if dtype is DType.FLOAT32:
        return Size(spread=FLOAT_SPREAD, bound=1.0)
    least, greatest = (0, 1) if dtype is DType.BOOL else dtype.bounds
    return Size(spread=(greatest - least) / 3.46, bound=float(max(-least, greatest)))
