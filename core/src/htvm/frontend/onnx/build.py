"""Grows an integer graph, keeping names unique and sizes sane."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import prod

import numpy as np
import numpy.typing as npt

from htvm.frontend import refuse
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.ops import Op, Reshape, Transpose
from htvm.ir.tensor import Quantization, Tensor, constant


class Builder:
    """Nodes and tensors so far.

    Args:
        reserved: The source's own names, which no made-up name may take.
    """

    def __init__(self, reserved: Iterable[str]) -> None:
        self._reserved = set(reserved)
        self._nodes: dict[str, Node] = {}
        self._tensors: dict[str, Tensor] = {}
        self._inputs: list[str] = []
        self._made: dict[tuple[str, str], str] = {}

    def has(self, tensor: str) -> bool:
        """Whether a tensor of this name exists."""
        return tensor in self._tensors

    def tensor(self, name: str) -> Tensor:
        """The tensor of this name."""
        return self._tensors[name]

    def made(self, form: str, name: str) -> str | None:
        """The tensor that holds source tensor ``name`` in this form, if it was made before."""
        return self._made.get((form, name))

    def remember(self, form: str, name: str, tensor: str) -> None:
        """Note which tensor holds source tensor ``name`` in this form."""
        self._made[form, name] = tensor

    def fresh_tensor(self, wanted: str) -> str:
        """A tensor name nobody uses, equal to ``wanted`` if it can be."""
        return self._fresh(wanted, self._tensors)

    def fresh_node(self, wanted: str) -> str:
        """A node name nobody uses, equal to ``wanted`` if it can be."""
        return self._fresh(wanted, self._nodes)

    def _fresh(self, wanted: str, taken: Iterable[str]) -> str:
        name, number = wanted, 1
        while name in taken or (number > 1 and name in self._reserved):
            number += 1
            name = f"{wanted}_{number}"
        return name

    def input(self, name: str, shape: tuple[int, ...], dtype: DType) -> None:
        """Declare an input of the network."""
        self._put(Tensor(name=name, shape=shape, dtype=dtype))
        self._inputs.append(name)

    def constant(self, wanted: str, value: npt.ArrayLike, dtype: DType) -> str:
        """Name of a constant of this value; equal ones of the same name are shared."""
        array = np.asarray(value).astype(dtype.numpy)
        old = self._tensors.get(wanted)
        shared = old is not None and old.dtype == dtype and old.value is not None
        if shared and old is not None and np.array_equal(np.asarray(old.value), array):
            return wanted
        name = self.fresh_tensor(wanted)
        self._put(constant(name, array, dtype))
        return name

    def node(
        self,
        op: Op,
        inputs: tuple[str, ...],
        *,
        name: str,
        output: str,
        shape: tuple[int, ...],
        dtype: DType,
        sources: Iterable[str] = (),
        quantization: Quantization | None = None,
    ) -> str:
        """Append a node; returns the name of its output, made unique."""
        tensor = self.fresh_tensor(output)
        self._put(Tensor(name=tensor, shape=shape, dtype=dtype, quantization=quantization))
        key = self.fresh_node(name)
        told = tuple(dict.fromkeys(filter(None, sources)))
        self._nodes[key] = Node(name=key, op=op, inputs=inputs, output=tensor, source=told)
        return tensor

    def annotate(self, name: str, quantization: Quantization) -> None:
        """Say what a tensor's integers mean, and those of the tensors it is a view of."""
        writers = {node.output: node for node in self._nodes.values()}
        while self._tensors[name].quantization is None:
            self._tensors[name] = replace(self._tensors[name], quantization=quantization)
            writer = writers.get(name)
            if writer is None or not isinstance(writer.op, Reshape | Transpose):
                return
            name = writer.inputs[0]

    def rename(self, old: str, new: str) -> None:
        """Give a computed tensor another, unused name."""
        self._tensors = {
            (new if name == old else name): replace(tensor, name=new) if name == old else tensor
            for name, tensor in self._tensors.items()
        }
        self._nodes = {
            key: replace(
                node,
                inputs=tuple(new if name == old else name for name in node.inputs),
                output=new if node.output == old else node.output,
            )
            for key, node in self._nodes.items()
        }

    def is_input(self, name: str) -> bool:
        """Whether this tensor is an input of the network."""
        return name in self._inputs

    def graph(self, name: str, output: str, origin: Origin) -> Graph:
        """The finished graph."""
        return Graph(
            name=name,
            inputs=tuple(self._inputs),
            outputs=(output,),
            nodes=tuple(self._nodes.values()),
            tensors=self._tensors,
            origin=origin,
        )

    def _put(self, tensor: Tensor) -> None:
        if prod(tensor.shape) > refuse.MAX_ELEMENTS:
            raise refuse.too_large(tensor.name, tensor.shape)
        self._tensors[tensor.name] = tensor
