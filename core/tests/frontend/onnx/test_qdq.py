from __future__ import annotations

import numpy as np
import pytest

from htvm.ir import ops, requant


def kinds(graph):
    return [node.op.kind for node in graph.nodes]


CONVOLUTIONS = {
    "plain": ({}, (1, 3, 9, 8), (4, 3, 3, 3)),
    "padded": ({"pads": [1, 1, 1, 1]}, (1, 3, 9, 8), (4, 3, 3, 3)),
    "asymmetric": ({"pads": [0, 0, 1, 2], "strides": [2, 2]}, (1, 3, 9, 8), (4, 3, 3, 3)),
    "depthwise": ({"group": 4, "pads": [1, 1, 1, 1]}, (1, 4, 9, 8), (4, 1, 3, 3)),
    "grouped": ({"group": 2}, (1, 4, 9, 8), (6, 2, 3, 3)),
    "dilated": ({"dilations": [2, 2]}, (1, 3, 9, 8), (4, 3, 3, 3)),
    "same_upper": ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, (1, 3, 9, 8), (4, 3, 3, 3)),
    "same_lower": ({"auto_pad": "SAME_LOWER", "strides": [2, 1]}, (1, 3, 9, 8), (4, 3, 2, 3)),
    "one_dimension": ({"pads": [1, 1], "strides": [2]}, (1, 3, 11), (4, 3, 3)),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_convolutions_equal_onnxruntime(net, agree, case, dtype):
    attributes, image, kernel = CONVOLUTIONS[case]
    n = net()
    x = n.qdq(n.input("x", image), 0.02, 7, dtype)
    bias = n.const(n.random.normal(0, 1, kernel[0]))
    y = n.op("Conv", x, n.weights(*kernel, axis=0), bias, name="first conv", **attributes)
    graph = agree(n, n.q(y, 0.05, 3, dtype))
    assert "first conv" in [node.name for node in graph.nodes]
    assert isinstance(graph.nodes[-1].op, requant.FloatRequant | ops.Reshape)


def test_unsigned_weights_with_a_zero_point(net, agree):
    n = net()
    x = n.qdq(n.input("x", (1, 3, 9, 8)), 0.02, 7, "uint8")
    y = n.op("Conv", x, n.weights(4, 3, 3, 3, dtype="uint8"), pads=[1, 1, 1, 1])
    graph = agree(n, n.q(y, 0.07, 100, "uint8"))
    assert graph.nodes[1].op.weight_zero_point == 128


def test_a_pad_before_a_convolution_joins_it(net, agree):
    n = net()
    x = n.qdq(n.input("x", (1, 3, 9, 8)), 0.02, 7)
    x = n.op("Pad", x, n.const([0, 0, 0, 0, 0, 0, 1, 1], "int64"))
    y = n.op("Conv", n.qdq(x, 0.02, 7), n.weights(4, 3, 3, 3), strides=[2, 2])
    graph = agree(n, n.q(y, 0.05, 3))
    assert kinds(graph) == ["quantize", "conv2d", "floatrequant"]


@pytest.mark.parametrize(
    ("activation", "zero", "bounds"),
    [
        (("Relu",), -128, (-128, 127)),
        (("Relu",), -20, (-20, 127)),
        (("Clip", 0.0, 6.0), -128, (-128, -8)),
        (("Clip", -1.0, 2.0), 10, (-10, 50)),
    ],
)
def test_activations_become_bounds(net, activation, zero, bounds):
    n = net()
    x = n.qdq(n.input("x", (1, 3, 8, 8)), 0.02)
    y = n.op("Conv", x, n.weights(4, 3, 3, 3), n.const(np.zeros(4)))
    kind, *limits = activation
    y = n.op(kind, y, *(n.const(limit) for limit in limits))
    graph = n.graph(n.q(y, 0.05, zero))
    assert kinds(graph) == ["quantize", "conv2d", "floatrequant"]
    assert (graph.nodes[-1].op.lo, graph.nodes[-1].op.hi) == bounds


@pytest.mark.parametrize("zero", [-128, -20])
def test_relu_equals_onnxruntime(net, agree, zero):
    n = net()
    x = n.qdq(n.input("x", (1, 3, 8, 8)), 0.02, -3)
    y = n.op("Relu", n.op("Conv", x, n.weights(4, 3, 3, 3), n.const(np.zeros(4))))
    agree(n, n.q(y, 0.05, zero), share=0.001)


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("per_channel", [False, True])
def test_gemm_equals_onnxruntime(net, agree, transposed, per_channel):
    n = net()
    x = n.qdq(n.input("x", (1, 20)), 0.02, 5)
    shape = (7, 20) if transposed else (20, 7)
    w = n.weights(*shape, axis=(1 - transposed) if per_channel else None)
    y = n.op("Gemm", x, w, n.const(n.random.normal(0, 1, 7)), transB=transposed)
    graph = agree(n, n.q(y, 0.05, 3))
    assert kinds(graph) == ["quantize", "dense", "floatrequant"]


def test_matmul_and_add_become_one_dense_with_bias(net, agree):
    n = net()
    x = n.qdq(n.input("x", (1, 20)), 0.02, 5)
    bias = n.dq(n.const(n.random.integers(-900, 900, 7), "int32"), 0.02 * 0.0123, 0, "int32")
    y = n.op("Add", n.op("MatMul", x, n.weights(20, 7)), bias)
    graph = agree(n, n.q(n.op("Relu", y), 0.05, -128))
    assert kinds(graph) == ["quantize", "dense", "floatrequant"]
    assert len(graph.nodes[1].inputs) == 3


def test_product_of_two_computed_tensors(net, agree):
    n = net()
    a = n.qdq(n.input("a", (1, 2, 5, 6)), 0.02, 5)
    b = n.qdq(n.input("b", (1, 2, 6, 4)), 0.03, -5)
    agree(n, n.q(n.op("MatMul", a, b), 0.05, 3))


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div", "Min", "Max"])
def test_arithmetic_is_the_textbook_form(net, agree, kind):
    n = net()
    a = n.qdq(n.input("a", (1, 3, 5, 5)), 0.0213, 4)
    b = n.qdq(n.op("Exp", n.qdq(n.input("b", (1, 3, 1, 5)), 0.011)), 0.0137, -128)
    graph = agree(n, n.q(n.op("Relu", n.op(kind, a, b)), 0.0371, -128), share=0.005)
    assert "elementwise" in kinds(graph)


def test_residual_of_two_convolutions(net, agree):
    n = net()
    x = n.qdq(n.input("x", (1, 4, 8, 8)), 0.02, 5)
    y = n.op("Conv", x, n.weights(4, 4, 3, 3, axis=0), n.const(np.ones(4)), pads=[1] * 4)
    total = n.op("Add", n.qdq(y, 0.043, 6), x)
    graph = agree(n, n.q(n.op("Relu", total), 0.037, -128), share=0.005)
    assert kinds(graph).count("dequantize") == 2


POOLS = {
    "average": ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "average_padded": (
        "AveragePool",
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    ),
    "average_counted": ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    "average_ceil": ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    "global_average": ("GlobalAveragePool", {}),
    "mean": ("ReduceMean", {"axes": [2, 3], "keepdims": 0}),
    "mean_of_rows": ("ReduceMean", {"axes": [-1], "keepdims": 1}),
    "max": ("MaxPool", {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}),
    "max_ceil": ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    "global_max": ("GlobalMaxPool", {}),
}


@pytest.mark.parametrize("case", POOLS)
def test_pools_equal_onnxruntime(net, agree, case):
    kind, attributes = POOLS[case]
    n = net()
    x = n.qdq(n.input("x", (1, 3, 7, 9)), 0.021, 4)
    agree(n, n.q(n.op(kind, x, **attributes), 0.017, -9), share=0.01)


def test_one_dimensional_pools(net, agree):
    n = net()
    x = n.qdq(n.input("x", (1, 3, 12)), 0.021, 4)
    x = n.qdq(n.op("MaxPool", x, kernel_shape=[3], strides=[2]), 0.021, 4)
    agree(n, n.q(n.op("AveragePool", x, kernel_shape=[2]), 0.017, -9), share=0.01)


UNARY = {
    "Sigmoid": {},
    "Tanh": {},
    "Relu": {},
    "LeakyRelu": {"alpha": 0.1},
    "Elu": {"alpha": 0.7},
    "Selu": {},
    "HardSigmoid": {},
    "HardSwish": {},
    "Exp": {},
    "Erf": {},
    "Abs": {},
    "Neg": {},
    "Softplus": {},
    "Round": {},
}


@pytest.mark.parametrize("kind", UNARY)
def test_functions_become_one_table(net, agree, kind):
    n = net()
    y = n.op(kind, n.qdq(n.input("x", (1, 256)), 0.03, 4), **UNARY[kind])
    graph = agree(n, n.q(y, 0.021, -7), share=0.002)
    assert kinds(graph) in (["quantize", "lut"], ["quantize"])


@pytest.mark.parametrize("kind", ["Sigmoid", "Sqrt", "Gelu"])
def test_functions_with_float_results(net, agree, kind):
    n = net(opset=20)
    x = n.qdq(n.input("x", (1, 256)), 0.03, -128 if kind == "Sqrt" else 4)
    graph = agree(n, n.op(kind, x))
    assert kinds(graph) == ["quantize", "lut"]


def test_a_chain_of_functions_is_one_table(net, agree):
    n = net()
    x = n.qdq(n.input("x", (1, 200)), 0.03, 4)
    gate = n.op("Clip", n.op("Add", x, n.const(3.0)), n.const(0.0), n.const(6.0))
    y = n.op("Mul", x, n.op("Div", gate, n.const(6.0)))
    graph = agree(n, n.q(y, 0.021, -7), share=0.002)
    assert kinds(graph) == ["quantize", "lut"]
    assert len(graph.nodes[1].source) > 4


def test_softmax_and_its_quantisation(net, agree):
    n = net()
    x = n.qdq(n.input("x", (1, 10)), 0.05, 4)
    graph = agree(n, n.q(n.op("Softmax", x, axis=-1), 1 / 256, -128), share=0.01)
    assert kinds(graph) == ["quantize", "softmaxtable", "quantize"]


def test_softmax_of_old_opsets_runs_over_all_later_axes(net, agree):
    n = net(opset=11)
    agree(n, n.op("Softmax", n.qdq(n.input("x", (1, 4, 3, 1)), 0.05, 4), axis=1))


def move_reshape(n, x):
    return n.op("Reshape", x, n.const([0, -1], "int64"))


def move_transpose(n, x):
    return n.op("Transpose", x, perm=[0, 2, 3, 1])


def move_pad(n, x):
    return n.op("Pad", x, n.const([0, 0, 1, 2, 0, 0, 3, 0], "int64"), n.const(0.0))


def move_slice(n, x):
    starts, ends, axes, steps = ([1, -3], [100, -1], [1, 3], [2, 1])
    return n.op("Slice", x, *(n.const(v, "int64") for v in (starts, ends, axes, steps)))


def move_split(n, x):
    return n.op("Split", x, n.const([1, 3], "int64"), outputs=2, axis=1)[1]


def move_squeeze(n, x):
    y = n.op("Unsqueeze", x, n.const([1], "int64"))
    return n.op("Squeeze", y, n.const([0], "int64"))


def move_gather(n, x):
    return n.op("Gather", x, n.const(2, "int64"), axis=1)


def move_shape_program(n, x):
    batch = n.op("Gather", n.op("Shape", x), n.const([0], "int64"))
    return n.op("Reshape", x, n.op("Concat", batch, n.const([-1], "int64"), axis=0))


MOVES = [
    move_reshape,
    move_transpose,
    move_pad,
    move_slice,
    move_split,
    move_squeeze,
    move_gather,
    move_shape_program,
]


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("scale", [0.02, 0.031])
def test_moves_are_made_on_integers(net, agree, move, scale):
    n = net()
    x = n.qdq(n.input("x", (1, 4, 5, 6)), 0.02, 4)
    graph = agree(n, n.q(move(n, x), scale, 4))
    assert "dequantize" not in kinds(graph)
    assert kinds(graph).count("lut") == (scale != 0.02)


@pytest.mark.parametrize("scale", [0.02, 0.031])
def test_concat_requantises_only_other_scales(net, agree, scale):
    n = net()
    a = n.qdq(n.input("a", (1, 2, 3, 3)), 0.02, 4)
    b = n.qdq(n.input("b", (1, 5, 3, 3)), scale, 4)
    graph = agree(n, n.q(n.op("Concat", a, b, axis=1), 0.02, 4))
    assert kinds(graph).count("lut") == (scale != 0.02)


def test_views_between_convolution_and_quantisation_come_after_it(net, agree):
    n = net()
    x = n.qdq(n.input("x", (1, 3, 6, 6)), 0.02, 4)
    y = n.op("Conv", x, n.weights(4, 3, 3, 3, axis=0), n.const(np.ones(4)))
    y = n.op("Flatten", n.op("Relu", n.op("Transpose", y, perm=[0, 2, 3, 1])))
    graph = n.graph(n.q(y, 0.05, -128))
    assert kinds(graph)[1:3] == ["conv2d", "floatrequant"]
    agree(n, n.q(y, 0.05, -128), share=0.01)


def test_output_that_is_never_quantised_is_float(net):
    n = net()
    x = n.qdq(n.input("x", (1, 20)), 0.02, 5)
    output = n.op("Gemm", x, n.weights(20, 7), n.const(np.ones(7)))
    graph = n.graph(output)
    assert graph.outputs == (output,)
    assert graph.tensors[output].dtype == "float32"


def test_weights_pass_through_constant_nodes(net, agree):
    n = net()
    x = n.qdq(n.input("x", (1, 20)), 0.02, 5)
    floats = n.const(n.random.normal(0, 0.5, (7, 20)))
    w = n.op("Transpose", n.qdq(floats, 0.011), perm=[1, 0])
    agree(n, n.q(n.op("MatMul", x, w), 0.05, 3))


def test_quantization_is_known_at_both_ends(net):
    n = net()
    x = n.dq(n.op("Transpose", n.input("x", (1, 4, 4, 3), "int8"), perm=[0, 3, 1, 2]), 0.5, 3)
    y = n.q(n.op("Conv", x, n.weights(2, 3, 1, 1), n.const(np.ones(2))), 0.25, -7)
    graph = n.graph(y)
    assert graph.tensors["x"].quantization.scale == (0.5,)
    assert graph.tensors["x"].quantization.zero_point == 3
    assert graph.tensors[y].quantization.scale == (0.25,)


@pytest.mark.parametrize("name", ['say "hi"', "two\nlines", "*/ end", "../../up", "größe"])
def test_awkward_names_survive(net, name):
    n = net()
    x = n.qdq(n.input("x", (1, 20)), 0.02, 5)
    y = n.op("Gemm", x, n.weights(20, 7), n.const(np.ones(7)), name=name)
    assert name in [node.name for node in n.graph(n.q(y, 0.1)).nodes]


def test_same_node_name_twice_is_told_apart(net):
    n = net()
    x = n.qdq(n.input("x", (1, 20)), 0.02, 5)
    for _ in range(2):
        x = n.qdq(n.op("Gemm", x, n.weights(20, 20), n.const(np.ones(20)), name="fc"), 0.1)
    names = [node.name for node in n.graph(x).nodes]
    assert len(set(names)) == len(names)


MOVES = (
    ("Flatten", {}),
    ("Transpose", {"perm": [0, 2, 3, 1]}),
    ("MaxPool", {"kernel_shape": [2, 2]}),
)


@pytest.mark.parametrize(("kind", "attributes"), MOVES)
def test_a_tensor_with_the_name_of_a_moved_function_holds_its_values(
    net, agree, kind, attributes
) -> None:
    n = net()
    x = n.qdq(n.input("x", (1, 3, 6, 6)), 0.05, 10)
    moved = n.op(kind, n.op("Elu", x), **attributes)
    graph = agree(n, n.q(moved, 0.03, -60))
    assert moved not in graph.tensors


def test_bounds_before_a_padding_are_not_those_of_the_padding(net, agree) -> None:
    n = net()
    a, b = (n.qdq(n.input(name, (1, 2, 4, 4)), 0.05, 10) for name in "ab")
    kept = n.op("Clip", n.op("Add", a, b), n.const(0.5), n.const(2.0))
    padded = n.op("Pad", kept, n.const([0, 0, 1, 1, 0, 0, 1, 1], "int64"), n.const(0.0))
    agree(n, n.q(padded, 0.03, -60), share=0.005)
