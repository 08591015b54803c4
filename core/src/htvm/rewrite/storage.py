"""8-bit tensors stored with the other sign: each element 128 less or more, each result the same."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from htvm.ir import requant
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node
from htvm.ir.tensor import Tensor
from htvm.rewrite.edits import fresh
from htvm.rewrite.storage_rules import CARRIERS, carry, reading, with_input, writing

OTHER = {DType.INT8: DType.UINT8, DType.UINT8: DType.INT8}
_OFFSET = {DType.INT8: -128, DType.UINT8: 128}
"""What is added to an element of the other type to store it in this one."""


def stored_as(graph: Graph, wanted: DType) -> Graph:
    """The graph with its computed 8-bit tensors in one type.

    Zero points, addends and bounds of their readers and writers move along. Inputs and outputs of
    the network stay as they are: what lies between them and the rest is converted, and so is what
    an op reads or writes that knows no zero point.
    """
    return _Storing(graph=graph, wanted=wanted).result()


@dataclass(kw_only=True, eq=False)
class _Storing:
    graph: Graph
    wanted: DType
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    """Names of tensors that are stored otherwise now: old -> new."""

    @property
    def offset(self) -> int:
        """What is added to each element."""
        return _OFFSET[self.wanted]

    def result(self) -> Graph:
        """The graph."""
        self.tensors = dict(self.graph.tensors)
        for name in self.graph.inputs:
            if self._foreign(name) and self._useful(name):
                self._convert(name, self._new(name))
        for node in self.graph.nodes:
            self._node(node)
        used = {name for node in self.nodes for name in (*node.inputs, node.output)}
        used |= {*self.graph.inputs, *self.graph.outputs}
        kept = {name: tensor for name, tensor in self.tensors.items() if name in used}
        return replace(self.graph, nodes=tuple(self.nodes), tensors=kept)

    def _foreign(self, name: str) -> bool:
        return self.graph.tensors[name].dtype is OTHER[self.wanted]

    def _useful(self, name: str) -> bool:
        readers = self.graph.consumers[name]
        return any(reading(reader.op) is not None for reader in readers)

    def _new(self, name: str) -> str:
        """The tensor in the wanted type, under a new name."""
        old = self.graph.tensors[name]
        meaning = old.quantization
        if meaning is not None:
            meaning = replace(meaning, zero_point=meaning.zero_point + self.offset)
        bounds = old.bounds and (old.bounds[0] + self.offset, old.bounds[1] + self.offset)
        title = fresh(self.graph, f"{name}_{self.wanted}")
        self.tensors[title] = replace(
            old, name=title, dtype=self.wanted, quantization=meaning, bounds=bounds
        )
        self.moved[name] = title
        return title

    def _convert(self, source: str, target: str) -> None:
        """A node that copies a tensor into the other type."""
        before, after = self.tensors[source], self.tensors[target]
        offset = _OFFSET[after.dtype]
        lo, hi = after.dtype.bounds
        op = requant.ShiftRequant(
            out=after.dtype,
            lo=lo,
            hi=hi,
            mul=np.array([1], np.int64),
            add=np.array([offset], np.int64),
            shift=np.array([0], np.int64),
        )
        name = fresh(self.graph, f"{before.name}_to_{after.dtype}")
        self.nodes.append(Node(name=name, op=op, inputs=(source,), output=target))

    def _node(self, node: Node) -> None:
        read = [name in self.moved for name in node.inputs]
        carries = isinstance(node.op, CARRIERS)
        if reading(node.op) is None or (carries and not all(read)):
            for name in node.inputs:
                self._restore(name)
            read = [False] * len(read)
        op = node.op
        for index, moved in enumerate(read):
            if moved and not carries:
                op = with_input(op, index, self.offset)
        inputs = tuple(
            self.moved[name] if moved else name
            for name, moved in zip(node.inputs, read, strict=True)
        )
        rule = writing(op) if not carries else (carry if all(read) else None)
        output = node.output
        if self._foreign(output) and rule is not None:
            op = rule(op, self.offset, self.wanted)
            output = self._new(output)
        self.nodes.append(replace(node, op=op, inputs=inputs, output=output))
        if output != node.output and node.output in self.graph.outputs:
            self._restore(node.output)
        elif self._foreign(node.output) and output == node.output and self._useful(output):
            self._convert(output, self._new(output))

    def _restore(self, name: str) -> None:
        """See to it that a tensor also exists as it was."""
        made = {*self.graph.inputs, *(node.output for node in self.nodes)}
        if name in self.moved and name not in made:
            self._convert(self.moved[name], name)
