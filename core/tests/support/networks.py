"""Small integer graphs, built by hand."""

import numpy as np

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.requant import ShiftRequant
from htvm.ir.tensor import Tensor, constant


class Builder:
    """Collects nodes; every method returns the name of the tensor it adds."""

    def __init__(self, seed: int = 0) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.inputs: list[str] = []
        self.random = np.random.default_rng(seed)

    def input(self, name: str, shape: tuple[int, ...], dtype: DType = DType.INT8) -> str:
        self.tensors[name] = Tensor(name=name, shape=shape, dtype=dtype)
        self.inputs.append(name)
        return name

    def add(self, op, inputs, shape, dtype, *, name: str, source=()) -> str:
        self.tensors[name] = Tensor(name=name, shape=shape, dtype=dtype)
        self.nodes.append(
            Node(name=f"{name}_node", op=op, inputs=tuple(inputs), output=name, source=source)
        )
        return name

    def conv(self, x: str, channels: int, name: str, *, shift: int = 6) -> str:
        """A 1x1 convolution and its requantisation."""
        _, before, height, width = self.tensors[x].shape
        shape = (1, channels, height, width)
        self.constant(f"{name}_w", self.random.integers(-128, 128, (channels, before, 1, 1)))
        acc = self.add(
            ops.Conv2d(), [x, f"{name}_w"], shape, DType.INT32, name=f"{name}_acc", source=(name,)
        )
        one = np.array([1])
        requant = ShiftRequant(
            out=DType.INT8, lo=-128, hi=127, mul=one, add=one * (1 << shift >> 1), shift=one * shift
        )
        return self.add(requant, [acc], shape, DType.INT8, name=name, source=(name,))

    def clip(self, x: str, name: str, lo: int = -50, hi: int = 50) -> str:
        before = self.tensors[x]
        return self.add(ops.Clip(lo=lo, hi=hi), [x], before.shape, before.dtype, name=name)

    def transpose(self, x: str, perm: tuple[int, ...], name: str) -> str:
        before = self.tensors[x]
        shape = tuple(before.shape[axis] for axis in perm)
        return self.add(ops.Transpose(perm=perm), [x], shape, before.dtype, name=name)

    def reshape(self, x: str, shape: tuple[int, ...], name: str) -> str:
        return self.add(ops.Reshape(shape=shape), [x], shape, self.tensors[x].dtype, name=name)

    def constant(self, name: str, value, dtype: DType = DType.INT8) -> None:
        self.tensors[name] = constant(name, value, dtype)

    def graph(self, *outputs: str, name: str = "tiny") -> Graph:
        return Graph(
            name=name,
            inputs=tuple(self.inputs),
            outputs=outputs,
            nodes=tuple(self.nodes),
            tensors=self.tensors,
            origin=Origin(path=f"{name}.onnx", format="built"),
        )
