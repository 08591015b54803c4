"""Layers a quantiser left in float, in quantised networks and among carried whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

from htvm.ir import ops
from htvm.numerics import execute


def kinds(graph):
    return [node.op.kind for node in graph.nodes]


def real(n, *shape, spread=0.3):
    return n.const(n.random.normal(0, spread, shape))


CONVOLUTIONS = {
    "padded": ({"pads": [1, 1, 1, 1]}, (1, 3, 9, 8), (4, 3, 3, 3)),
    "asymmetric": ({"pads": [0, 0, 1, 2], "strides": [2, 1]}, (1, 3, 9, 8), (4, 3, 3, 2)),
    "depthwise": ({"group": 4, "pads": [1, 1, 1, 1]}, (1, 4, 9, 8), (4, 1, 3, 3)),
    "grouped": ({"group": 2}, (1, 4, 9, 8), (6, 2, 3, 3)),
    "dilated": ({"dilations": [2, 2]}, (1, 3, 9, 8), (4, 3, 3, 3)),
    "one_dimension": ({"pads": [1, 1], "strides": [2]}, (1, 3, 11), (4, 3, 3)),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions_agree_with_onnxruntime(net, agree, case):
    attributes, image, kernel = CONVOLUTIONS[case]
    n = net()
    x = n.qdq(n.input("x", image), 0.02, 7)
    y = n.op("Conv", x, real(n, *kernel), real(n, kernel[0]), name="first conv", **attributes)
    graph = agree(n, n.q(n.op("Relu", y), 0.01, -128), share=0.01, optimise=False)
    assert "first conv" in [node.name for node in graph.nodes]
    assert any(isinstance(node.op, ops.FloatConv2d) for node in graph.nodes)


@pytest.mark.parametrize("transposed", [0, 1])
def test_gemm_agrees_with_onnxruntime(net, agree, transposed):
    n = net()
    w = real(n, *((5, 20) if transposed else (20, 5)))
    y = n.op("Gemm", n.qdq(n.input("x", (1, 20)), 0.02), w, real(n, 5), transB=transposed)
    graph = agree(n, n.q(y, 0.05), share=0.01, optimise=False)
    assert kinds(graph) == ["quantize", "floatdense", "quantize"]


def test_a_sum_behind_matmul_becomes_its_bias(net, agree):
    n = net()
    y = n.op("MatMul", n.qdq(n.input("x", (1, 4, 20)), 0.02), real(n, 20, 5))
    graph = agree(n, n.q(n.op("Add", y, real(n, 5)), 0.05), share=0.01, optimise=False)
    assert kinds(graph) == ["quantize", "floatdense", "quantize"]
    assert len(graph.nodes[1].inputs) == 3


def test_float_layers_follow_each_other_without_rounding(net, agree):
    """Conv, pool, Add, mean and Gemm between one Dequantize and one Quantize."""
    n = net()
    x = n.qdq(n.input("x", (1, 3, 8, 8)), 0.02)
    a = n.op("Relu", n.op("Conv", x, real(n, 4, 3, 3, 3), real(n, 4), pads=[1, 1, 1, 1]))
    b = n.op("Conv", a, real(n, 4, 4, 1, 1))
    pooled = n.op("MaxPool", n.op("Add", a, b), kernel_shape=[2, 2], strides=[2, 2])
    narrow = n.op("AveragePool", pooled, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    flat = n.op("Flatten", n.op("GlobalAveragePool", narrow))
    y = n.op("Gemm", flat, real(n, 4, 6, spread=1.0))
    graph = agree(n, n.q(y, 0.02), share=0.01, optimise=False)
    assert kinds(graph).count("quantize") == 2
    assert kinds(graph).count("floatconv2d") == 2


def test_a_float_layer_between_integer_layers(net, agree):
    n = net()
    x = n.qdq(n.input("x", (1, 3, 8, 8)), 0.02)
    a = n.qdq(n.op("Relu", n.op("Conv", x, n.weights(4, 3, 3, 3))), 0.05, -128)
    b = n.qdq(n.op("Conv", a, real(n, 4, 4, 3, 3), real(n, 4)), 0.05)
    graph = agree(n, n.q(n.op("Conv", b, n.weights(2, 4, 1, 1)), 0.05), share=0.01, optimise=False)
    assert kinds(graph) == [
        "quantize",
        "conv2d",
        "floatrequant",
        "floatconv2d",
        "quantize",
        "conv2d",
        "floatrequant",
    ]


def test_weights_alone_quantised_are_floats(net, agree):
    n = net()
    a = n.op("Conv", n.input("x", (1, 3, 8, 8)), n.weights(4, 3, 3, 3, axis=0))
    graph = agree(n, n.q(a, 0.05), share=0.01, optimise=False)
    assert kinds(graph) == ["floatconv2d", "quantize"]


def test_float_layers_read_bytes_even_where_others_need_the_floats(net, agree):
    n = net()
    x = n.qdq(n.input("x", (1, 4, 8, 8)), 0.02, 11)
    padded = n.op("Pad", x, n.const([0, 0, 1, 1, 0, 0, 1, 1], "int64"))
    a = n.op("Conv", padded, real(n, 4, 4, 3, 3))
    graph = agree(n, n.q(n.op("Add", a, x), 0.1), share=0.01, optimise=False)
    assert kinds(graph) == ["quantize", "floatconv2d", "dequantize", "elementwise", "quantize"]
    op = graph.nodes[1].op
    assert (op.input_scale, op.input_zero_point, op.pad) == (np.float32(0.02), 11, (1, 1, 1, 1))


def whole(n, *shape):
    return n.const(n.random.integers(-20, 21, shape))


def carried(n, x, *shape, lo=0.0):
    """A layer of whole numbers."""
    y = n.op("Conv", x, whole(n, *shape))
    floored = n.op("Floor", n.op("Div", y, n.const(64.0)))
    return n.op("Clip", floored, n.const(lo), n.const(127.0))


def test_a_float_layer_among_whole_numbers(net):
    n = net()
    x = n.op("Cast", n.input("x", (1, 3, 8, 8), "int8"), to=1)
    entering = n.dq(n.op("Cast", carried(n, x, 4, 3, 3, 3), to=3), 0.02)
    a = n.op("Relu", n.op("Conv", entering, real(n, 4, 4, 3, 3), real(n, 4)))
    left = n.op("Cast", n.q(a, 0.01), to=1)
    y = n.op("Cast", carried(n, left, 5, 4, 1, 1, lo=-128.0), to=3)
    n.metadata = {"input_scale": "0.01", "output_scale": "0.5"}
    graph = n.graph(y)
    assert graph.origin.format == "onnx-integer"
    assert kinds(graph) == [
        "conv2d",
        "shiftrequant",
        "floatconv2d",
        "quantize",
        "conv2d",
        "shiftrequant",
    ]
    assert graph.tensors[graph.outputs[0]].quantization.scale == (0.5,)


def test_whole_numbers_around_float_layers_agree_with_onnxruntime(net, agree):
    n = net()
    x = n.op("Cast", n.input("x", (1, 3, 8, 8), "int8"), to=1)
    a = carried(n, x, 4, 3, 3, 3)
    entering = n.dq(n.op("Cast", a, to=3), 0.02)
    b = n.q(n.op("Relu", n.op("Conv", entering, real(n, 4, 4, 1, 1), real(n, 4))), 0.01)
    joined = n.op("Add", a, n.op("Cast", b, to=1))
    halved = n.op("Floor", n.op("Div", joined, n.const(2.0)))
    y = n.op("Clip", halved, n.const(-128.0), n.const(127.0))
    agree(n, n.op("Cast", y, to=3), share=0.01, optimise=False)


def test_a_network_may_end_in_float(net, agree):
    n = net()
    x = n.op("Cast", n.input("x", (1, 3, 4, 4), "int8"), to=1)
    flat = n.op("Flatten", carried(n, x, 4, 3, 3, 3))
    y = n.op("Gemm", n.dq(n.op("Cast", flat, to=3), 0.02), real(n, 16, 5), real(n, 5))
    graph = agree(n, y)
    assert graph.tensors[graph.outputs[0]].dtype == "float32"


def test_whole_and_real_numbers_do_not_mix_unseen(net, refused):
    n = net()
    a = carried(n, n.op("Cast", n.input("x", (1, 3, 4, 4), "int8"), to=1), 4, 3, 3, 3)
    b = n.op("Conv", n.dq(n.op("Cast", a, to=3), 0.02), real(n, 4, 4, 1, 1))
    error = refused(n, n.op("Add", a, b))
    assert error.code == "E203"
    assert "DequantizeLinear" in error.accepted


def test_order_of_the_float_sum(net):
    """Channels, rows, columns, then the bias: 2**25 swallows what comes after it, not before."""
    n = net()
    x = n.dq(n.input("x", (1, 2, 1, 2), "int8"), 1.0)
    w = np.array([[[[1.0, 2.0**25]], [[1.0, -(2.0**25)]]]])
    graph = n.graph(n.op("Conv", x, n.const(w), n.const([1.0])))
    ones = np.ones((1, 2, 1, 2), np.int8)
    assert execute(graph, {"x": ones})[graph.outputs[0]].item() == 1.0
