from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.frontend.onnx.rational import floor_by_shift
from htvm.ir import requant


def weights(n, *shape):
    return n.const(n.random.integers(-20, 21, shape))


def bias(n, count):
    return n.const(n.random.integers(-999, 1000, count))


def div_floor_clip(n, x, divisor, lo=0.0, hi=127.0):
    floored = n.op("Floor", n.op("Div", x, n.const(divisor)))
    return n.op("Clip", floored, n.const(lo), n.const(hi))


def kinds(graph):
    return [node.op.kind for node in graph.nodes]


def test_quantlib_convolution(net, agree_whole):
    n = net(opset=11)
    x = n.input("x", (1, 3, 8, 8))
    y = n.op("Conv", x, weights(n, 4, 3, 3, 3), bias(n, 4), pads=[0, 0, 1, 1], strides=[2, 2])
    graph = agree_whole(n, div_floor_clip(n, y, 64.0))
    assert kinds(graph) == ["conv2d", "shiftrequant"]
    op = graph.nodes[1].op
    assert (op.out, op.lo, op.hi, op.shift.tolist()) == ("int8", 0, 127, [6])


def test_unsigned_activations(net, agree_whole):
    n = net(opset=11)
    y = n.op("Conv", n.input("x", (1, 3, 8, 8)), weights(n, 4, 3, 3, 3), bias(n, 4))
    y = div_floor_clip(n, y, 32.0, 0.0, 255.0)
    graph = agree_whole(n, div_floor_clip(n, n.op("Conv", y, weights(n, 2, 4, 1, 1)), 64.0))
    assert graph.tensors[graph.nodes[1].output].dtype == "uint8"


def test_quantlib_residual_pool_and_classifier(net, agree_whole):
    n = net(opset=11)
    x = n.input("x", (1, 4, 5, 5))
    y = div_floor_clip(n, n.op("Conv", x, weights(n, 4, 4, 3, 3), pads=[1] * 4), 128.0, -128.0)
    total = n.op("Clip", n.op("Floor", n.op("Add", x, y)), n.const(0.0), n.const(127.0))
    pooled = n.op("Floor", n.op("Flatten", n.op("GlobalAveragePool", total)))
    pooled = n.op("Clip", pooled, n.const(-128.0), n.const(127.0))
    y = n.op("Gemm", pooled, weights(n, 7, 4), bias(n, 7), transB=1)
    graph = agree_whole(n, div_floor_clip(n, y, 16.0, -128.0))
    assert kinds(graph)[:6] == [
        "cast",
        "conv2d",
        "shiftrequant",
        "cast",
        "elementwise",
        "shiftrequant",
    ]
    assert kinds(graph)[6:9] == ["sumpool2d", "shiftrequant", "reshape"]


@pytest.mark.parametrize("swapped", [False, True])
def test_nemo_with_negative_multipliers_and_casts(net, agree_whole, swapped):
    n = net(opset=11)
    x = n.op("Cast", n.input("x", (1, 3, 8, 8)), to=1)
    y = n.op("Conv", x, weights(n, 4, 3, 3, 3))
    factors = n.const([[[5]], [[-3]], [[7]], [[1]]])
    summands = n.const(n.random.integers(-999, 999, (1, 4, 1, 1)))
    y = n.op("Mul", *((factors, y) if swapped else (y, factors)))
    y = n.op("Add", *((summands, y) if swapped else (y, summands)))
    y = n.op("Cast", div_floor_clip(n, y, 256.0, 0.0, 255.0), to=1)
    y = n.op("Flatten", n.op("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2]))
    graph = agree_whole(n, n.op("Gemm", y, weights(n, 5, 36), bias(n, 5), transB=1))
    assert kinds(graph) == ["conv2d", "shiftrequant", "maxpool2d", "reshape", "dense"]
    assert graph.nodes[1].op.mul.tolist() == [5, -3, 7, 1]
    assert graph.nodes[1].op.axis == 1
    assert graph.tensors[graph.outputs[0]].dtype == "int32"


def test_attributes_hung_on_standard_nodes_are_ignored(net):
    n = net(opset=11)
    y = n.op("Conv", n.input("x", (1, 3, 8, 8)), weights(n, 4, 3, 3, 3), weight_bits=8)
    graph = n.graph(div_floor_clip(n, n.op("Mul", y, n.const(3.0), in1_mul=3), 64.0))
    assert kinds(graph) == ["conv2d", "shiftrequant"]


def test_relu_before_the_division(net, agree_whole):
    n = net(opset=11)
    y = n.op("Relu", n.op("Conv", n.input("x", (1, 3, 6, 6)), weights(n, 4, 3, 3, 3)))
    agree_whole(n, div_floor_clip(n, y, 64.0, -128.0))


def test_moves_of_whole_numbers(net, agree_whole):
    n = net(opset=11)
    x = n.input("x", (1, 2, 5, 5))
    padded = n.op("Pad", x, n.const([0, 0, 1, 1, 0, 0, 1, 1], "int64"))
    y = div_floor_clip(n, n.op("Conv", padded, weights(n, 2, 2, 3, 3)), 32.0, -128.0)
    graph = agree_whole(n, n.op("Transpose", n.op("Concat", x, y, axis=1), perm=[0, 2, 3, 1]))
    assert kinds(graph) == ["conv2d", "shiftrequant", "concat", "transpose"]


@pytest.mark.parametrize("size", [3, 5, 8])
def test_averages_are_exact_for_any_number_of_elements(net, agree_whole, size):
    n = net(opset=11)
    pooled = n.op("GlobalAveragePool", n.input("x", (1, 4, size, size)))
    y = n.op("Clip", n.op("Floor", pooled), n.const(-128.0), n.const(127.0))
    graph = agree_whole(n, y)
    assert isinstance(graph.nodes[1].op, requant.ShiftRequant)


@given(
    divisor=st.integers(1, 5000),
    ends=st.tuples(st.integers(-(2**30), 2**30), st.integers(-(2**30), 2**30)),
    data=st.data(),
)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_floor_by_shift_is_proved_on_its_range(divisor, ends, data):
    least, most = sorted(ends)
    mul, add, shift = floor_by_shift(divisor, least, most)
    near = data.draw(st.integers(least // divisor, most // divisor)) * divisor
    for value in (least, most, near - 1, near, near + 1):
        if least <= value <= most:
            assert (value * mul + add) >> shift == value // divisor


def test_scales_come_from_the_metadata(net):
    n = net(opset=11, metadata={"input_scale": "0.5", "output_scale": "0.25"})
    x = n.input("x", (1, 3, 8, 8))
    graph = n.graph(div_floor_clip(n, n.op("Conv", x, weights(n, 4, 3, 3, 3)), 64.0))
    assert graph.tensors["x"].quantization.scale == (0.5,)
    assert graph.tensors[graph.outputs[0]].quantization.scale == (0.25,)


def test_input_type_comes_from_the_metadata_or_a_first_clip(net):
    n = net(opset=11, metadata={"input_type": "uint8"})
    y = n.op("Conv", n.input("x", (1, 3, 8, 8)), weights(n, 4, 3, 3, 3))
    assert n.graph(div_floor_clip(n, y, 64.0)).tensors["x"].dtype == "uint8"
    n = net(opset=11)
    x = n.op("Clip", n.input("x", (1, 3, 8, 8)), n.const(0.0), n.const(255.0))
    y = n.op("Conv", x, weights(n, 4, 3, 3, 3))
    assert n.graph(div_floor_clip(n, y, 64.0)).tensors["x"].dtype == "uint8"


def missing_floor(n, y):
    return n.op("Conv", n.op("Div", y, n.const(64.0)), weights(n, 2, 4, 1, 1))


def odd_constant(n, y):
    return div_floor_clip(n, n.op("Mul", y, n.const(0.1)), 3.0)


def wide_activations(n, y):
    return n.op("Conv", div_floor_clip(n, y, 2.0, 0.0, 4095.0), weights(n, 2, 4, 1, 1))


def too_deep(n, y):
    factor = n.const(2.0**40)
    return div_floor_clip(n, n.op("Mul", n.op("Mul", y, factor), factor), 2.0)


def softmax(n, y):
    return n.op("Softmax", div_floor_clip(n, y, 64.0))


@pytest.mark.parametrize("rest", [missing_floor, odd_constant, wide_activations, too_deep, softmax])
def test_what_is_not_exact_is_refused(net, refused, rest):
    n = net(opset=13)
    y = n.op("Conv", n.input("x", (1, 3, 8, 8)), weights(n, 4, 3, 3, 3))
    assert refused(n, rest(n, y)).exit_code == 3


def test_accumulators_beyond_32_bits_are_refused(net, refused):
    n = net(opset=11)
    x = n.input("x", (1, 3, 8, 8))
    y = n.op("Conv", x, n.const(np.full((1, 3, 8, 8), 127)), n.const([2.0**31 - 128]))
    assert "accumulator" in refused(n, div_floor_clip(n, y, 64.0)).seen


def test_what_a_pool_computes_keeps_its_name_before_it_is_flattened(net, agree_whole):
    n = net(opset=13)
    pooled = n.op("GlobalAveragePool", n.input("x", (1, 4, 4, 4)))
    clipped = div_floor_clip(n, n.op("Mul", pooled, n.const(16.0)), 16.0)
    flat = n.op("Flatten", clipped)
    graph = agree_whole(n, flat)
    requantised, reshaped = graph.nodes[-2:]
    assert (requantised.output, reshaped.output) == (clipped, flat)
    assert [node.op.kind for node in (requantised, reshaped)] == ["shiftrequant", "reshape"]


def test_every_source_node_is_told_to_the_one_node_it_became(net, agree_whole):
    n = net(opset=11)
    x = n.input("x", (1, 3, 6, 6))
    first = div_floor_clip(n, n.op("Conv", x, weights(n, 4, 3, 3, 3), bias(n, 4)), 64.0)
    second = n.op("Conv", first, weights(n, 2, 4, 1, 1), bias(n, 2))
    graph = agree_whole(n, div_floor_clip(n, second, 64.0))
    told = [name for node in graph.nodes for name in node.source]
    assert len(told) == len(set(told)) == 8
