"""Collects the tensors and constants of one function while its nodes are defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from htvm.ir.dtype import DType
from htvm.ir.graph import Node
from htvm.ir.tensor import Tensor
from htvm.target.source import Constant
from htvm.tvm.definitions.values import Expr, const
from htvm.tvm.load import te

Index = Sequence[Expr]
_STORED = (DType.INT32, DType.INT64)


class Builder:
    """The function under construction.

    Args:
        tensors: Every tensor the nodes touch.
        inputs: Names of the computed tensors given from outside.
    """

    def __init__(self, tensors: Mapping[str, Tensor], inputs: Sequence[str]) -> None:
        self._tensors = tensors
        self._number = -1
        self.constants: list[Constant] = []
        self.constant_buffers: list[Any] = []
        self._stages = {
            name: te.placeholder(tensors[name].shape, element(tensors[name].dtype), f"in{number}")
            for number, name in enumerate(inputs)
        }
        self.input_buffers = list(self._stages.values())

    def enter(self, node: Node) -> None:
        """Start defining a node: constants from here on are numbered after it."""
        del node
        self._number += 1

    def finish(self, node: Node, stage: Any) -> None:
        """Remember what a node computes."""
        self._stages[node.output] = stage

    def stage(self, name: str) -> Any:
        """The tensor expression of a tensor; constants become parameters on first use."""
        if name not in self._stages:
            value = self._tensors[name].value
            if value is None:
                raise KeyError(name)
            self._stages[name] = self._carry(np.asarray(value), "data")
        return self._stages[name]

    def operands(self, node: Node) -> tuple[Any, ...]:
        """The tensor expressions of a node's inputs."""
        return tuple(self.stage(name) for name in node.inputs)

    def output(self, node: Node) -> Tensor:
        """The tensor a node writes."""
        return self._tensors[node.output]

    def parameter(
        self, values: npt.ArrayLike, axis: int | None, dtype: str, role: str
    ) -> Callable[[Index], Expr]:
        """An op's parameter as a function of the element's index.

        One value is an immediate; more become an array indexed along ``axis``.
        """
        array = np.asarray(values)
        if array.size == 1:
            return lambda index: const(array.reshape(-1)[0], dtype)
        stored = self._carry(_narrow(array.reshape(-1)), role)
        return lambda index: stored[index[axis or 0]].astype(dtype)

    def table(self, values: npt.ArrayLike, role: str) -> Any:
        """An op's table, as a one-axis parameter."""
        return self._carry(np.asarray(values).reshape(-1), role)

    def _carry(self, value: npt.NDArray[Any], role: str) -> Any:
        name = f"{role}{self._number}_{len(self.constants)}"
        dtype = DType(value.dtype.name)
        data = np.ascontiguousarray(value).reshape(-1)
        align_bytes = max(4, dtype.size_bytes)
        self.constants.append(Constant(name=name, dtype=dtype, data=data, align_bytes=align_bytes))
        buffer = te.placeholder(value.shape, element(dtype), name)
        self.constant_buffers.append(buffer)
        return buffer


def element(dtype: DType) -> str:
    """TIR's element type; truth values are bytes in C."""
    return "uint8" if dtype is DType.BOOL else dtype.value


def _narrow(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Integers in the smallest of int32 and int64 that holds them."""
    if values.dtype.kind not in "iu":
        return values
    for dtype in _STORED:
        low, high = dtype.bounds
        if values.min() >= low and values.max() <= high:
            return values.astype(dtype.numpy)
    return values
