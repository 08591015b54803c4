"""Networks of which a quantiser left some layers in float: integers on digital, floats on the host.

Files are written with onnx, read, deployed and run under sanitizers, every layer compared.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from htvm.deployment import Deployment, Request, VerifyOptions
from htvm.pipeline import run
from htvm.report.reasons import reason


class Writer:
    """Nodes of a file; every method returns the name of a tensor."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(5)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, dtype: str = "float32") -> str:
        """An initializer."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value).astype(dtype), name))
        return name

    def op(self, kind: str, *inputs: str, name: str = "", **attributes: object) -> str:
        """A node."""
        output = f"t{len(self.nodes)}"
        name = name or f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name, **attributes))
        return output

    def quantised(self, kind: str, x: str, scale: float) -> str:
        """A QuantizeLinear or DequantizeLinear to or from int8 without a zero point."""
        return self.op(kind, x, self.constant(scale), self.constant(0, "int8"))

    def conv(self, x: str, outputs: int, channels: int, name: str, *, whole: bool) -> str:
        """A 3x3 convolution, of whole numbers or of floats, with a bias."""
        shape = (outputs, channels, 3, 3)
        if whole:
            weights = self.constant(self.random.integers(-9, 10, shape))
            bias = self.constant(self.random.integers(-99, 100, outputs))
        else:
            weights = self.constant(self.random.normal(0, 0.2, shape))
            bias = self.constant(self.random.normal(0, 0.2, outputs))
        return self.op("Conv", x, weights, bias, name=name, pads=[1, 1, 1, 1])

    def save(self, path: Path, output: str, out: int, extents: tuple[int, ...]) -> Path:
        """The file, its one input ``x`` int8."""
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 4, 8, 8])],
            [helper.make_tensor_value_info(output, out, list(extents))],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, path)
        return path


def carried(w: Writer, x: str, outputs: int, channels: int, name: str) -> str:
    """An integer layer with whole numbers carried in floats."""
    return shifted(w, w.conv(x, outputs, channels, name, whole=True), 128.0)


def shifted(w: Writer, x: str, divisor: float) -> str:
    """Back to seven bits."""
    floored = w.op("Floor", w.op("Div", x, w.constant(divisor)))
    return w.op("Clip", floored, w.constant(0.0), w.constant(127.0))


def island(w: Writer, x: str, channels: int, *names: str) -> str:
    """Float layers between integers carried in floats."""
    value = w.quantised("DequantizeLinear", w.op("Cast", x, to=TensorProto.INT8), 0.02)
    for name in names:
        value = w.op("Relu", w.conv(value, channels, channels, name, whole=False))
    return w.op("Cast", w.quantised("QuantizeLinear", value, 0.03), to=TensorProto.FLOAT)


def deploy(path: Path) -> Deployment:
    """The whole way, under sanitizers."""
    verify = VerifyOptions(random=2, sanitize=True, required=True)
    return run(Request(path=path, target="diana", verify=verify))


def engines(done: Deployment) -> dict[str, str]:
    """The engine of every layer."""
    assert done.dispatch is not None
    return {step.name: step.engine for step in done.dispatch.layers}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Integer, two float layers, integer with a residual that goes around the floats."""
    w = Writer()
    a = carried(w, w.op("Cast", "x", to=TensorProto.FLOAT), 16, 4, "first")
    b = carried(w, island(w, a, 16, "second", "third"), 16, 16, "fourth")
    joined = shifted(w, w.op("Add", a, b), 2.0)
    y = w.op("Cast", carried(w, joined, 8, 16, "last"), to=TensorProto.INT8)
    return w.save(tmp_path / "mixed.onnx", y, TensorProto.INT8, (1, 8, 8, 8))


def test_integer_layers_stay_on_the_accelerator(mixed: Path) -> None:
    done = deploy(mixed)
    found = engines(done)
    assert {name: found[name] for name in ("first", "second", "third", "fourth")} == {
        "first": "digital",
        "second": "cpu",
        "third": "cpu",
        "fourth": "digital",
    }
    assert done.verification is not None
    assert done.verification.mismatches == 0
    assert done.dispatch is not None
    (second,) = (step for step in done.dispatch.layers if step.name == "second")
    assert reason(second).startswith("left in float32 by the network, which only cpu computes")


def test_no_float_copy_of_an_input_that_only_a_float_layer_reads(mixed: Path) -> None:
    """Dequantising is part of what a float layer does; ReLU and quantising again follow in it."""
    done = deploy(mixed)
    assert done.dispatch is not None
    nodes = {s.name: [n.op.kind for n in s.layer.nodes] for s in done.dispatch.layers}
    assert nodes["second"] == ["floatconv2d", "clip"]
    assert nodes["third"] == ["floatconv2d", "quantize"]


def test_the_network_may_end_in_float(tmp_path: Path) -> None:
    w = Writer()
    a = carried(w, w.op("Cast", "x", to=TensorProto.FLOAT), 16, 4, "first")
    value = w.quantised("DequantizeLinear", w.op("Cast", a, to=TensorProto.INT8), 0.02)
    flat = w.op(
        "Flatten",
        w.op("GlobalAveragePool", w.op("Relu", w.conv(value, 16, 16, "second", whole=False))),
    )
    y = w.op("Gemm", flat, w.constant(w.random.normal(size=(16, 3))), name="head")
    done = deploy(w.save(tmp_path / "ends.onnx", y, TensorProto.FLOAT, (1, 3)))
    found = engines(done)
    assert (found["first"], found["second"], found["head"]) == ("digital", "cpu", "cpu")
    assert done.verification is not None
    assert done.verification.mismatches == 0
