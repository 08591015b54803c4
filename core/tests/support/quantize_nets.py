"""Small float networks to quantise."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from htvm.frontend import read
from htvm.quantization.source.read import float_network


@dataclass
class FloatNet:
    """A small float ONNX network under construction."""

    folder: Path
    shape: tuple = (1, 3, 12, 12)
    seed: int = 0
    nodes: list = field(default_factory=list)
    constants: list = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def const(self, value) -> str:
        name = f"c{len(self.constants)}"
        array = np.asarray(value)
        array = array.astype("f4") if array.dtype.kind == "f" else array
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, *inputs: str, **attributes) -> str:
        output = f"t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, inputs, [output], f"n{len(self.nodes)}", **attributes)
        )
        return output

    def conv(self, x: str, c: int, k: int, size: int = 3, groups: int = 1, stride: int = 1) -> str:
        weights = self.random.normal(0, 1, (k, c // groups, size, size))
        weights *= self.random.uniform(0.2, 3, (k, 1, 1, 1)) / np.sqrt(c // groups * size * size)
        bias = self.random.normal(0, 0.3, k)
        pad = [size // 2] * 4
        names = self.const(weights), self.const(bias)
        return self.op("Conv", x, *names, pads=pad, group=groups, strides=[stride, stride])

    def gemm(self, x: str, c: int, k: int) -> str:
        weights, bias = self.random.normal(0, 1 / np.sqrt(c), (c, k)), self.random.normal(0, 1, k)
        return self.op("Gemm", x, self.const(weights), self.const(bias))

    def save(self, output: str, name: str = "net.onnx") -> Path:
        ports = [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape),
            helper.make_tensor_value_info(output, TensorProto.FLOAT, None),
        ]
        graph = helper.make_graph(self.nodes, "net", ports[:1], ports[1:], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path = self.folder / name
        onnx.save(model, path)
        return path


def residual(net: FloatNet) -> Path:
    """Convolutions of all kinds, a residual sum, a global average and a classifier."""
    first = net.op("Relu", net.conv("x", 3, 8))
    deep = net.op("Relu", net.conv(first, 8, 8, groups=8))
    total = net.op("Relu", net.op("Add", first, net.conv(deep, 8, 8, size=1)))
    down = net.op("Relu", net.conv(total, 8, 12, stride=2))
    flat = net.op("Flatten", net.op("GlobalAveragePool", down))
    return net.save(net.op("Softmax", net.gemm(flat, 12, 5)))


def samples(count: int, seed: int, shape=(3, 12, 12)) -> np.ndarray:
    rough = np.random.default_rng(seed).normal(0, 1, (count, *shape)).astype("f4")
    smooth = (rough + np.roll(rough, 1, -1) + np.roll(rough, 1, -2)) / 2
    return smooth.astype("f4")


def by_onnxruntime(model, x) -> np.ndarray:
    session = onnxruntime.InferenceSession(model if isinstance(model, bytes) else str(model))
    name = session.get_inputs()[0].name
    return session.run(None, {name: x})[0]


def network(path: Path):
    return float_network(read(path))
