"""The graph made of a file: names, orders of axes, facts."""

from itertools import pairwise

import numpy as np
import pytest

from htvm.frontend.tflite import integerise
from htvm.frontend.tflite.decode import decode
from htvm.frontend.tflite.multiplier import activation_range, quantize_multiplier
from htvm.ir.dtype import DType
from htvm.ir.tensor import Quantization
from htvm.numerics import execute, random_inputs

POOL = {"StrideW": 1, "StrideH": 1, "FilterWidth": 2, "FilterHeight": 2}


def pools(file, count, shape=(1, 4, 4, 3)):
    names = ["x", *(f"p{number}" for number in range(count))]
    for name in names:
        file.tensor(name, shape, 0.5, 3)
    for before, after in pairwise(names):
        file.op("MAX_POOL_2D", [before], [after], **POOL)
    file.inputs, file.outputs = ["x"], [names[-1]]


def test_images_are_transposed_at_the_borders_only(file):
    pools(file, 3)
    graph = integerise(file.source())
    assert [node.output for node in graph.nodes] == ["x_nchw", "p0", "p1", "p2_nchw", "p2"]
    assert graph.tensors["x"].shape == (1, 4, 4, 3)
    assert graph.tensors["p0"].shape == (1, 3, 4, 4)
    assert graph.tensors["p2"].shape == (1, 4, 4, 3)


def test_one_channel_needs_no_transposing(file):
    pools(file, 1, shape=(1, 4, 4, 1))
    assert [node.op.kind for node in integerise(file.source()).nodes] == [
        "reshape",
        "maxpool2d",
        "reshape",
    ]


def test_a_tensor_read_twice_is_transposed_once(file):
    pools(file, 1)
    file.tensor("q", (1, 4, 4, 3), 0.5, 3)
    file.op("MAX_POOL_2D", ["x"], ["q"], **POOL)
    file.outputs = ["p0", "q"]
    graph = integerise(file.source())
    assert graph.outputs == ("p0", "q")
    assert sum(node.output.startswith("x_") for node in graph.nodes) == 1


def test_nodes_are_named_after_their_result_and_say_where_they_come_from(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1, 3)]
    file.constant("w", np.ones((3, 4), np.int8), 0.1)
    file.outputs = [file.tensor("a/b;c", (1, 3), 0.2, -4)]
    file.op("FULLY_CONNECTED", ["x", "w", ""], ["a/b;c"])
    graph = integerise(file.source())
    assert [node.name for node in graph.nodes] == ["a/b;c_acc", "a/b;c"]
    assert all(node.source == ("a/b;c",) for node in graph.nodes)
    meaning = graph.tensors["a/b;c"].quantization
    assert meaning == Quantization(scale=(float(np.float32(0.2)),), zero_point=-4)
    assert graph.tensors["x"].quantization.zero_point == 3


def test_repeated_and_missing_names_become_unique(file):
    for name in ("x", "", "x", "y"):
        file.tensor(name, (1, 4), 0.1)
    file.inputs, file.outputs = ["x"], ["y"]
    names = [tensor.name for tensor in decode(file.source()).tensors]
    assert names == ["x", "tensor_1", "x_2", "y"]


def test_the_graph_says_where_it_comes_from(file):
    pools(file, 1)
    source = file.source()
    graph = integerise(source)
    assert graph.name == "some_net"
    assert graph.origin.path == "some net.tflite"
    assert graph.origin.format == "tflite-int8"
    assert graph.origin.sha256 == source.sha256


def test_a_dynamic_batch_becomes_one(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1, signature=(-1, 4))]
    file.outputs = [file.tensor("y", (1, 4), 0.1, signature=(-1, 4))]
    file.op("RELU", ["x"], ["y"])
    assert integerise(file.source()).tensors["y"].shape == (1, 4)


def test_a_shape_given_replaces_the_files(file):
    pools(file, 2)
    graph = integerise(file.source(x=(1, 9, 5, 3)))
    assert graph.tensors["p1"].shape == (1, 9, 5, 3)


def test_a_network_with_float_ends_keeps_them(file):
    file.inputs = [file.tensor("x", (1, 4), type="FLOAT32")]
    file.tensor("q", (1, 4), 0.1, 5)
    file.tensor("r", (1, 4), 0.1, 5)
    file.outputs = [file.tensor("y", (1, 4), type="FLOAT32")]
    file.op("QUANTIZE", ["x"], ["q"])
    file.op("RELU", ["q"], ["r"])
    file.op("DEQUANTIZE", ["r"], ["y"])
    graph = integerise(file.source())
    assert [node.op.kind for node in graph.nodes] == ["quantize", "clip", "dequantize"]
    x = np.float32([[-1, 0, 0.26, 99]])
    np.testing.assert_allclose(execute(graph, {"x": x})["y"], [[0, 0, 0.3, 12.2]], rtol=1e-6)


def test_an_op_on_constants_is_folded(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1)]
    file.constant("c", np.int8([[1, -2, 3, -4]]), 0.1)
    file.tensor("d", (1, 4), 0.1)
    file.op("RELU", ["c"], ["d"])
    file.outputs = [file.tensor("y", (1, 4), 0.1)]
    file.op("MAXIMUM", ["x", "d"], ["y"])
    graph = integerise(file.source())
    (known,) = (tensor.value for tensor in graph.tensors.values() if tensor.is_constant)
    assert known.tolist() == [[1, 0, 3, 0]]


def test_relu_n1_to_1_clips_to_the_real_range(file):
    file.inputs = [file.tensor("x", (1, 1, 1, 256), 0.1, 3)]
    file.outputs = [file.tensor("y", (1, 1, 1, 256), 0.1, 3)]
    file.op("RELU_N1_TO_1", ["x"], ["y"])
    x = np.arange(-128, 128, dtype=np.int8).reshape(1, 1, 1, 256)
    result = execute(integerise(file.source()), {"x": x})["y"]
    np.testing.assert_array_equal(result, np.clip(x, -7, 13))


def test_sharing_weights_between_ops(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1)]
    file.constant("w", np.eye(4, dtype=np.int8), 0.1)
    file.tensor("h", (1, 4), 0.1)
    file.outputs = [file.tensor("y", (1, 4), 0.1)]
    file.op("FULLY_CONNECTED", ["x", "w", ""], ["h"])
    file.op("FULLY_CONNECTED", ["h", "w", ""], ["y"])
    graph = integerise(file.source())
    assert [name for name, tensor in graph.tensors.items() if tensor.is_constant] == ["w"]
    assert execute(graph, random_inputs(graph, 2, 0))["y"].shape == (2, 4)


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (1.0, (2**30, 1)),
        (0.5, (2**30, 0)),
        (2.0**-32, (2**30, -31)),
        (2.0**-32 * 0.999, (0, 0)),
        (1.0 - 2.0**-40, (2**30, 1)),
        (0.0, (0, 0)),
        (3.7e-3, (round(3.7e-3 * 2**39), -8)),
    ],
)
def test_multipliers(real, expected):
    assert quantize_multiplier(real) == expected


def test_activation_ranges_follow_the_zero_point():
    assert activation_range(0, 0.1, 5) == (-128, 127)
    assert activation_range(1, 0.1, 5) == (5, 127)
    assert activation_range(3, 0.1, 5) == (5, 65)
    assert activation_range(2, 0.1, 5) == (-5, 15)
    assert activation_range(9, 0.1, 5) is None


def test_int32_inputs_of_moves_are_taken(file):
    file.inputs = [file.tensor("x", (2, 3), type="INT32")]
    file.tensor("y", (3, 2), type="INT32")
    file.constant("shape", np.int32([3, 2]))
    file.op("RESHAPE", ["x", "shape"], ["y"])
    file.outputs = ["y"]
    assert integerise(file.source()).tensors["y"].dtype is DType.INT32
