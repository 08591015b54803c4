"""Ops a converter left in float, against TFLite Micro and in what they become."""

import numpy as np
import pytest

from htvm.errors import HtvmError
from htvm.frontend.simplify import simplify
from htvm.frontend.tflite import integerise
from htvm.numerics import execute, random_inputs

RELU, RELU6 = 1, 3
SAME, VALID = 0, 1
SHAPE = (1, 6, 5, 4)
FLOAT = {"type": "FLOAT32"}


def opened(file, shape=SHAPE):
    """An int8 input, dequantised."""
    file.inputs = [file.tensor("x", shape, 0.03, 5)]
    file.tensor("real", shape, **FLOAT)
    file.op("DEQUANTIZE", ["x"], ["real"])
    return "real"


def closed(file, shape, scale=0.05):
    """The float tensor ``z`` quantised as the output."""
    file.tensor("z", shape, **FLOAT)
    file.outputs = [file.tensor("y", shape, scale, -3)]
    return "z"


def floats(file, name, *shape):
    rng = np.random.default_rng(len(name) + len(shape))
    return file.constant(name, rng.normal(0, 0.3, shape).astype("f4"))


def check(file, kinds):
    """Equal to TFLite Micro but for halves its order of additions puts elsewhere."""
    file.op("QUANTIZE", ["z"], ["y"])
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    graph = simplify(integerise(file.source()))
    assert [node.op.kind for node in graph.nodes if node.op.kind not in _MOVES] == kinds
    inputs = random_inputs(graph, 8, 3)
    got = execute(graph, inputs)[graph.outputs[0]]
    interpreter = runtime.Interpreter.from_bytes(file.data(), arena_size=1 << 20)
    for index, sample in enumerate(inputs["x"]):
        interpreter.set_input(sample[None], 0)
        interpreter.invoke()
        apart = np.abs(got[index].astype(int) - interpreter.get_output(0)[0].astype(int))
        assert apart.max() <= 1
        assert (apart > 0).mean() < 0.01


_MOVES = {"transpose", "reshape"}


@pytest.mark.parametrize("activation", [0, RELU, RELU6])
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_convolutions(file, kind, activation):
    real, z = opened(file), closed(file, (1, 3, 3, 8))
    shape = (8, 3, 3, 4) if kind == "CONV_2D" else (1, 3, 3, 8)
    operands = [real, floats(file, "w", *shape), floats(file, "b", 8)]
    more = {"DepthMultiplier": 2} if kind != "CONV_2D" else {}
    file.op(
        kind, operands, [z], StrideW=2, StrideH=2, Padding=SAME,
        FusedActivationFunction=activation, **more,
    )  # fmt: skip
    check(file, ["floatconv2d", *["clip"] * (activation > 0), "quantize"])


def test_fully_connected(file):
    real, z = opened(file, (1, 20)), closed(file, (1, 7))
    operands = [real, floats(file, "w", 7, 20), floats(file, "b", 7)]
    file.op("FULLY_CONNECTED", operands, [z], FusedActivationFunction=RELU)
    check(file, ["floatdense", "clip", "quantize"])


def test_pools_sums_and_means_between_float_layers(file):
    real = opened(file)
    for name in ("a", "b", "c"):
        file.tensor(name, SHAPE, **FLOAT)
    window = {"StrideW": 1, "StrideH": 1, "FilterWidth": 2, "FilterHeight": 3, "Padding": SAME}
    file.op("MAX_POOL_2D", [real], ["a"], **window)
    file.op("AVERAGE_POOL_2D", ["a"], ["b"], **window)
    file.op("ADD", ["a", "b"], ["c"], FusedActivationFunction=RELU)
    z = closed(file, (1, 4))
    file.op("MEAN", ["c", file.constant("axes", np.array([1, 2], np.int32))], [z])
    kinds = ["dequantize", "maxpool2d", "sumpool2d", "elementwise", "elementwise", "clip"]
    check(file, [*kinds, "reducesum", "elementwise", "quantize"])


def test_hybrid_weights_are_refused(file):
    real, z = opened(file, (1, 20)), closed(file, (1, 7))
    weights = file.constant("w", np.ones((7, 20), np.int8), 0.1)
    file.op("FULLY_CONNECTED", [real, weights, ""], [z])
    file.op("QUANTIZE", [z], ["y"])
    with pytest.raises(HtvmError) as caught:
        integerise(file.source())
    assert caught.value.code == "E203"
    assert "INT8" in caught.value.seen
