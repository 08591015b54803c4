from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from htvm.errors import HtvmError
from htvm.frontend import integerise, read
from htvm.ir.graph import Graph
from htvm.numerics import execute

TYPES = {"float32": TensorProto.FLOAT, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8}


@dataclass
class Net:
    """A small network under construction; every method returns the name of a tensor."""

    folder: Path
    opset: int = 17
    seed: int = 0
    nodes: list = field(default_factory=list)
    initializers: list = field(default_factory=list)
    inputs: dict = field(default_factory=dict)
    metadata: dict = field(default_factory=dict)
    scales: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def input(self, name: str, shape: tuple, dtype: str = "float32") -> str:
        self.inputs[name] = (shape, dtype)
        return name

    def const(self, value, dtype: str = "float32", name: str = "") -> str:
        name = name or f"c{len(self.initializers)}"
        array = np.asarray(value).astype(dtype)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, name: str = "", **attributes):
        domain = "com.microsoft" if kind.startswith("Q") and kind in MICROSOFT else ""
        number = len(self.nodes)
        names = [f"t{number}_{index}" for index in range(outputs)]
        node = helper.make_node(kind, inputs, names, name or f"n{number}", domain=domain)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(node)
        return names[0] if outputs == 1 else names

    def q(self, x: str, scale: float, zero: int = 0, dtype: str = "int8") -> str:
        return self.op("QuantizeLinear", x, self.const(scale), self.const(zero, dtype))

    def dq(self, x: str, scale, zero=0, dtype: str = "int8", **attributes) -> str:
        return self.op(
            "DequantizeLinear", x, self.const(scale), self.const(zero, dtype), **attributes
        )

    def qdq(self, x: str, scale: float, zero: int = 0, dtype: str = "int8") -> str:
        return self.dq(self.q(x, scale, zero, dtype), scale, zero, dtype)

    def weights(self, *shape: int, axis: int | None = None, dtype: str = "int8") -> str:
        lo, hi = (0, 255) if dtype == "uint8" else (-127, 127)
        ints = self.const(self.random.integers(lo, hi + 1, shape), dtype)
        if axis is None:
            return self.dq(ints, 0.0123, 128 if dtype == "uint8" else 0, dtype)
        scale = self.random.uniform(0.005, 0.02, shape[axis]).astype("f4")
        return self.dq(ints, scale, np.zeros(shape[axis]), dtype, axis=axis)

    def model(self, output: str) -> onnx.ModelProto:
        ports = [
            helper.make_tensor_value_info(name, TYPES[dtype], shape)
            for name, (shape, dtype) in self.inputs.items()
        ]
        inferred = helper.make_tensor_value_info(output, TYPES["float32"], None)
        graph = helper.make_graph(self.nodes, "net", ports, [inferred], self.initializers)
        model = helper.make_model(
            graph,
            opset_imports=[
                helper.make_opsetid("", self.opset),
                helper.make_opsetid("com.microsoft", 1),
            ],
        )
        model.ir_version = 8
        helper.set_model_props(model, self.metadata)
        del model.graph.output[0].type.tensor_type.shape.dim[:]
        return _typed(model, output)

    def save(self, output: str) -> Path:
        path = self.folder / "net.onnx"
        path.write_bytes(self.model(output).SerializeToString())
        return path

    def graph(self, output: str) -> Graph:
        return integerise(read(self.save(output)))

    def samples(self, count: int = 24) -> dict[str, np.ndarray]:
        drawn = {}
        for name, (shape, dtype) in self.inputs.items():
            size = (count, *shape[1:])
            if dtype == "float32":
                drawn[name] = self.random.normal(0, 1, size).astype("f4")
            else:
                info = np.iinfo(dtype)
                drawn[name] = self.random.integers(info.min, info.max + 1, size).astype(dtype)
        return drawn


MICROSOFT = {
    "QGemm",
    "QLinearAdd",
    "QLinearMul",
    "QLinearAveragePool",
    "QLinearGlobalAveragePool",
    "QLinearConcat",
    "QLinearSoftmax",
    "QLinearSigmoid",
    "QLinearLeakyRelu",
}


def _typed(model: onnx.ModelProto, output: str) -> onnx.ModelProto:
    """The model with its output's type, which onnxruntime wants declared."""
    for dtype in TYPES.values():
        model.graph.output[0].type.tensor_type.elem_type = dtype
        try:
            session(model)
        except Exception as error:
            if "Type Error" not in str(error) and "Unexpected" not in str(error):
                return model
            continue
        return model
    return model


def session(model: onnx.ModelProto, *, optimise: bool = True) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    if not optimise:
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.graph_optimization_level = level
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def oracle(
    model: onnx.ModelProto, inputs: dict[str, np.ndarray], *, optimise: bool = True
) -> np.ndarray:
    """onnxruntime's outputs, samples one by one."""
    runner = session(model, optimise=optimise)
    count = len(next(iter(inputs.values())))
    rows = [
        runner.run(None, {name: array[i : i + 1] for name, array in inputs.items()})[0]
        for i in range(count)
    ]
    return np.concatenate(rows)


@pytest.fixture
def net(tmp_path: Path) -> Callable[..., Net]:
    def make(**options: object) -> Net:
        return Net(folder=tmp_path, **options)

    return make


@pytest.fixture
def agree() -> Callable[..., Graph]:
    """Hold the integer reference of a network against onnxruntime; returns the graph.

    At most ``share`` of the elements may differ, integers by 1, floats by one step of float32.
    Optimised, onnxruntime quantises float weights between a Dequantize and a Quantize by itself.
    """

    def check(net: Net, output: str, *, share: float = 0.0, optimise: bool = True) -> Graph:
        graph = net.graph(output)
        inputs = net.samples()
        want = oracle(net.model(output), inputs, optimise=optimise)
        got = execute(graph, inputs)[graph.outputs[0]]
        assert got.shape == want.shape
        assert got.dtype == want.dtype
        if want.dtype.kind == "f":
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)
            return graph
        assert len(np.unique(want)) > 2, "the test network says nothing"
        apart = np.abs(got.astype(int) - want.astype(int))
        assert apart.max(initial=0) <= (1 if share else 0)
        assert (apart > 0).mean() <= share
        return graph

    return check


@pytest.fixture
def agree_whole() -> Callable[..., Graph]:
    """Hold an integer network carried in floats against onnxruntime, exact below 2**24."""

    def check(net: Net, output: str) -> Graph:
        graph = net.graph(output)
        types = {name: graph.tensors[name].dtype.value for name in graph.inputs}
        drawn = {name: (net.inputs[name][0], types[name]) for name in graph.inputs}
        integers = replace(net, inputs=drawn).samples()
        want = oracle(net.model(output), {k: v.astype("f4") for k, v in integers.items()})
        got = execute(graph, integers)[graph.outputs[0]]
        assert len(np.unique(want)) > 2, "the test network says nothing"
        np.testing.assert_array_equal(got.astype("f8"), want.astype("f8"))
        return graph

    return check


@pytest.fixture
def refused() -> Callable[..., HtvmError]:
    """The error a network is refused with, which must say everything an error has to."""

    def check(net: Net, output: str) -> HtvmError:
        with pytest.raises(HtvmError) as caught:
            net.graph(output)
        error = caught.value
        assert error.seen
        assert error.accepted
        assert error.hint
        return error

    return check
