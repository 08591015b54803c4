"""The nodes of a sum of whole multiples."""

from __future__ import annotations

from collections.abc import Sequence

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node
from htvm.ir.ops import Op
from htvm.ir.tensor import Tensor, constant
from htvm.rewrite.edits import fresh, title


class SumNodes:
    """Nodes being put together under the name of the addition they replace."""

    def __init__(self, graph: Graph, add: Node) -> None:
        self._graph = graph
        self._add = add
        self.nodes: list[Node] = []
        self.tensors: list[Tensor] = []

    def total(self, terms: Sequence[Tensor], factors: Sequence[int], arm: int) -> str:
        """Name of the sum of the terms, each times its factor.

        Args:
            terms: 8-bit tensors of one shape.
            factors: Whole numbers.
            arm: Number of this sum, if the same is needed more than once: then each has nodes of
                its own, because what an engine takes it takes whole.
        """
        suffix = "" if not arm else "_down"
        operands = tuple(
            self._scaled(term, factor, f"{side}{suffix}")
            for side, (term, factor) in zip("ab", zip(terms, factors, strict=True), strict=True)
        )
        add = ops.Elementwise(function="add")
        name = title("down", self._add.name) if arm else self._add.name
        return self._node(add, operands, terms[0], (f"{self._add.name}_int32{suffix}", name))

    def _scaled(self, term: Tensor, factor: int, word: str) -> str:
        name = self._add.name
        names = (f"{name}_{word}_int32", title(f"cast {word}", name))
        wide = self._node(ops.Cast(out=DType.INT32), (term.name,), term, names)
        if factor == 1:
            return wide
        times = constant(fresh(self._graph, f"{name}_{word}_factor"), [factor], DType.INT32)
        self.tensors.append(times)
        names = (f"{name}_{word}_times", title(f"scale {word}", name))
        return self._node(ops.Elementwise(function="mul"), (wide, times.name), term, names)

    def _node(self, op: Op, inputs: tuple[str, ...], like: Tensor, names: tuple[str, str]) -> str:
        """A node that writes an int32 tensor of another's shape; the tensor's name.

        Args:
            op: What is computed.
            inputs: What is read.
            like: A tensor of the same shape.
            names: Of the tensor, and of the node.
        """
        tensor, node = names
        written = Tensor(name=fresh(self._graph, tensor), shape=like.shape, dtype=DType.INT32)
        name = node if node == self._add.name else fresh(self._graph, node)
        self.nodes.append(
            Node(name=name, op=op, inputs=inputs, output=written.name, source=self._add.source)
        )
        self.tensors.append(written)
        return written.name
