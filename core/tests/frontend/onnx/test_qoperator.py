from __future__ import annotations

import numpy as np
import pytest

from htvm.frontend.onnx.softmax import exponentials

SX, SY = 0.021, 0.047


def affine(n, scale, zero, dtype="int8"):
    return n.const(scale), n.const(zero, dtype)


def weights(n, *shape, axis=None):
    count = 1 if axis is None else shape[axis]
    ints = n.const(n.random.integers(-127, 128, shape), "int8")
    scale = n.const(n.random.uniform(0.005, 0.02, count) if axis is not None else 0.0123)
    zero = n.const(np.zeros(count) if axis is not None else 0, "int8")
    return ints, scale, zero


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("group", [1, 2])
def test_qlinear_conv(net, agree, dtype, group):
    n = net()
    x = n.input("x", (1, 4, 7, 6), dtype)
    bias = n.const(n.random.integers(-900, 900, 6), "int32")
    w = weights(n, 6, 4 // group, 3, 3, axis=0)
    y = n.op(
        "QLinearConv",
        *(x, *affine(n, SX, 5, dtype), *w, *affine(n, SY, 3, dtype), bias),
        group=group,
        pads=[1, 0, 1, 2],
    )
    graph = agree(n, y)
    assert [node.op.kind for node in graph.nodes] == ["conv2d", "floatrequant"]
    assert graph.nodes[0].name == "n0"


@pytest.mark.parametrize("transposed", [0, 1])
def test_qgemm(net, agree, transposed):
    n = net()
    x = n.input("x", (1, 24), "int8")
    w = weights(n, *((7, 24) if transposed else (24, 7)), axis=1 - transposed)
    bias = n.const(n.random.integers(-900, 900, 7), "int32")
    y = n.op(
        "QGemm", x, *affine(n, SX, 5), *w, bias, *affine(n, SY, 3), transB=transposed, alpha=1.0
    )
    agree(n, y)


def test_qgemm_with_float_output(net, agree):
    n = net()
    x = n.input("x", (1, 24), "int8")
    bias = n.const(n.random.integers(-900, 900, 7), "int32")
    agree(n, n.op("QGemm", x, *affine(n, SX, 5), *weights(n, 24, 7), bias))


def test_qlinear_matmul(net, agree):
    n = net()
    x = n.input("x", (1, 5, 24), "int8")
    agree(n, n.op("QLinearMatMul", x, *affine(n, SX, 5), *weights(n, 24, 7), *affine(n, SY, 3)))


@pytest.mark.parametrize("kind", ["QLinearAdd", "QLinearMul"])
def test_qlinear_arithmetic_is_the_textbook_form(net, agree, kind):
    n = net()
    a, b = n.input("a", (1, 3, 6, 5), "int8"), n.input("b", (1, 3, 6, 5), "int8")
    y = n.op(kind, a, *affine(n, SX, 5), b, *affine(n, 0.033, -4), *affine(n, SY, 3))
    agree(n, y, share=0.005)


def test_qlinear_add_of_a_tensor_to_itself(net, agree):
    n = net()
    a = n.input("a", (1, 40), "int8")
    agree(n, n.op("QLinearAdd", *(a, *affine(n, SX, 5)) * 2, *affine(n, SY, 3)), share=0.01)


def test_qlinear_average_pool(net, agree):
    n = net()
    x = n.op("MaxPool", n.input("x", (1, 3, 9, 9), "int8"), kernel_shape=[2, 2])
    grids = (*affine(n, SX, 5), *affine(n, 0.0173, -8))
    agree(n, n.op("QLinearAveragePool", x, *grids, kernel_shape=[2, 3], strides=[2, 1]))


@pytest.mark.parametrize("scale", [SX, 0.0173])
def test_qlinear_global_average_pool(net, agree, scale):
    n = net()
    x = n.input("x", (1, 12, 4, 6), "int8")
    agree(n, n.op("QLinearGlobalAveragePool", x, *affine(n, SX, 5), *affine(n, scale, 3)))


def test_qlinear_concat(net, agree):
    n = net()
    a, b = n.input("a", (1, 2, 6, 5), "int8"), n.input("b", (1, 3, 6, 5), "int8")
    y = affine(n, SX, 5)
    graph = agree(n, n.op("QLinearConcat", *y, a, *y, b, *affine(n, SY, 3), axis=1))
    assert [node.op.kind for node in graph.nodes] == ["lut", "concat"]


@pytest.mark.parametrize("kind", ["QLinearSigmoid", "QLinearLeakyRelu"])
def test_qlinear_functions(net, agree, kind):
    n = net()
    x = n.input("x", (1, 300), "int8")
    extra = {"alpha": 0.2} if kind == "QLinearLeakyRelu" else {}
    agree(n, n.op(kind, x, *affine(n, SX, 5), *affine(n, 0.013, -7), **extra), share=0.01)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("axis", [-1, 1])
def test_qlinear_softmax(net, agree, dtype, axis):
    n = net()
    x = n.input("x", (1, 10, 6), dtype)
    zero = 0 if dtype == "uint8" else -128
    y = affine(n, 1 / 250, zero, dtype)
    agree(n, n.op("QLinearSoftmax", x, *affine(n, SX, 5, dtype), *y, axis=axis, opset=13))


def test_exponentials_never_sum_to_infinity():
    for scale in (1e-4, 0.05, 3.0):
        table = exponentials(scale, 1000)
        assert np.isfinite(table.sum(dtype="f4") * np.float32(4))
        assert table[255] == table.max() > 1


def test_integer_convolution_is_the_accumulator(net):
    n = net()
    x = n.input("x", (1, 4, 7, 6), "uint8")
    w = n.const(n.random.integers(-127, 128, (6, 4, 3, 3)), "int8")
    graph = n.graph(n.op("ConvInteger", x, w, n.const(7, "uint8")))
    assert [node.op.kind for node in graph.nodes] == ["conv2d"]
    assert graph.nodes[0].op.input_zero_point == 7


def test_integer_product_scaled_in_float(net, agree):
    n = net()
    x = n.input("x", (1, 24), "uint8")
    w = n.const(n.random.integers(-127, 128, (24, 7)), "int8")
    acc = n.op("MatMulInteger", x, w, n.const(100, "uint8"))
    y = n.op("Mul", n.op("Cast", acc, to=1), n.const(0.001))
    agree(n, n.q(y, 0.05, 3))


def test_channels_last_is_refused(net, refused):
    n = net()
    x = n.input("x", (1, 6, 6, 3), "int8")
    grid = affine(n, SX, 5)
    error = refused(n, n.op("QLinearGlobalAveragePool", x, *grid, *grid, channels_last=1))
    assert "channels" in error.accepted
