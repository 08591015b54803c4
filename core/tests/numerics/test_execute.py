import numpy as np
import pytest

from htvm.errors import InternalError, UsageError
from htvm.ir.dtype import DType
from htvm.ir.graph import Node
from htvm.ir.ops import (
    Concat,
    Conv2d,
    Dense,
    Elementwise,
    MatMul,
    Op,
    Pad,
    ReduceSum,
    Reshape,
    Slice,
    Transpose,
)
from htvm.ir.requant import ShiftRequant
from htvm.ir.tensor import Tensor, constant
from htvm.numerics import execute
from htvm.numerics.batching import can_batch

RNG = np.random.default_rng(0)


def tensor(name, shape, dtype=DType.INT8):
    return Tensor(name=name, shape=shape, dtype=dtype)


def step(name, op, inputs, shape, dtype=DType.INT8):
    return Node(name=name, op=op, inputs=inputs, output=name), tensor(name, shape, dtype)


def one_op(build, op, shape, result_shape, dtype=DType.INT8, result=None):
    x = tensor("x", shape, dtype)
    return build([x], [step("y", op, ("x",), result_shape, result or dtype)])


def samples(graph, count):
    shape = graph.tensors["x"].shape
    dtype = graph.tensors["x"].dtype.numpy
    return RNG.integers(-128, 128, (count * shape[0], *shape[1:])).astype(dtype)


def small_network(build):
    weights = [
        constant("w", RNG.integers(-9, 9, (4, 2, 3, 3)), DType.INT8),
        constant("v", RNG.integers(-9, 9, (3, 64)), DType.INT8),
    ]
    one = np.array([1], dtype=np.int64)
    requant = ShiftRequant(out=DType.INT8, lo=-128, hi=127, mul=one, add=one, shift=one * 4)
    steps = [
        step("conv", Conv2d(pad=(1, 1, 1, 1)), ("x", "w"), (1, 4, 4, 4), DType.INT32),
        step("act", requant, ("conv",), (1, 4, 4, 4)),
        step("nhwc", Transpose(perm=(0, 2, 3, 1)), ("act",), (1, 4, 4, 4)),
        step("flat", Reshape(shape=(1, 64)), ("nhwc",), (1, 64)),
        step("dense", Dense(), ("flat", "v"), (1, 3), DType.INT32),
    ]
    return build([tensor("x", (1, 2, 4, 4))], steps, weights)


def test_every_computed_tensor_is_returned_for_every_sample(build):
    graph = small_network(build)
    x = samples(graph, 5)
    together = execute(graph, {"x": x})
    assert can_batch(graph)
    assert list(together) == ["conv", "act", "nhwc", "flat", "dense"]
    for index in range(5):
        alone = execute(graph, {"x": x[index : index + 1]})
        for name, array in alone.items():
            np.testing.assert_array_equal(together[name][index : index + 1], array)


@pytest.mark.parametrize(
    ("op", "shape", "result_shape"),
    [
        (Slice(start=(0, 1), stop=(1, 3), step=(1, 1)), (1, 4), (1, 2)),
        (Pad(before=(0, 1), after=(0, 2), value=7), (1, 4), (1, 7)),
        (Reshape(shape=(1, 4, 1)), (1, 2, 2), (1, 4, 1)),
        (Reshape(shape=(2, 2)), (1, 4), (2, 2)),
        (Transpose(perm=(1, 0)), (1, 4), (4, 1)),
        (Transpose(perm=(1, 0, 2)), (1, 1, 4), (1, 1, 4)),
        (Pad(before=(1, 0), after=(0, 0)), (1, 4), (2, 4)),
        (Slice(start=(1, 0), stop=(2, 4), step=(1, 1)), (3, 4), (1, 4)),
    ],
)
def test_samples_do_not_mix(build, op, shape, result_shape):
    graph = one_op(build, op, shape, result_shape)
    x = samples(graph, 3)
    parts = [execute(graph, {"x": part})["y"] for part in np.split(x, 3)]
    np.testing.assert_array_equal(execute(graph, {"x": x})["y"], np.concatenate(parts))


@pytest.mark.parametrize(
    ("op", "other", "shape", "result_shape"),
    [
        (Elementwise(function="add"), (1, 1), (1, 4), (1, 4)),
        (Elementwise(function="add"), (4,), (1, 4), (1, 4)),
        (Elementwise(function="mul"), (1, 3, 4), (1, 4), (1, 3, 4)),
        (Elementwise(function="mul"), (2, 4), (1, 4), (2, 4)),
        (Concat(axis=1), (1, 2), (1, 4), (1, 6)),
        (Concat(axis=0), (2, 4), (1, 4), (3, 4)),
    ],
)
def test_constants_meet_each_sample(build, op, other, shape, result_shape):
    value = constant("c", RNG.integers(-9, 9, other), DType.INT32)
    x = tensor("x", shape, DType.INT32)
    graph = build([x], [step("y", op, ("x", "c"), result_shape, DType.INT32)], [value])
    data = samples(graph, 3)
    parts = [execute(graph, {"x": part})["y"] for part in np.split(data, 3)]
    np.testing.assert_array_equal(execute(graph, {"x": data})["y"], np.concatenate(parts))


def test_matrices_of_two_samples_are_not_multiplied_together(build):
    graph = build(
        [tensor("x", (1, 4)), tensor("k", (4, 1))],
        [step("y", MatMul(), ("x", "k"), (1, 1), DType.INT32)],
    )
    x = RNG.integers(-9, 9, (3, 4)).astype(np.int8)
    k = RNG.integers(-9, 9, (12, 1)).astype(np.int8)
    expected = [x[i].astype(int) @ k[4 * i : 4 * i + 4].astype(int) for i in range(3)]
    np.testing.assert_array_equal(execute(graph, {"x": x, "k": k})["y"], expected)


def test_sum_over_the_batch_axis_stays_inside_a_sample(build):
    op = ReduceSum(axes=(0,))
    graph = one_op(build, op, (1, 4), (1, 4), result=DType.INT32)
    x = samples(graph, 3)
    np.testing.assert_array_equal(execute(graph, {"x": x})["y"], x)


@pytest.mark.parametrize(
    ("inputs", "seen"),
    [
        ({}, "none"),
        ({"z": np.zeros((1, 2, 4, 4), np.int8)}, "z"),
        ({"x": np.zeros((1, 2, 4, 4), np.uint8)}, "uint8"),
        ({"x": np.zeros((1, 2, 4), np.int8)}, "(1, 2, 4)"),
        ({"x": np.zeros((0, 2, 4, 4), np.int8)}, "(0, 2, 4, 4)"),
        ({"x": np.zeros((1, 2, 4, 5), np.int8)}, "(1, 2, 4, 5)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(build, inputs, seen):
    with pytest.raises(UsageError) as caught:
        execute(small_network(build), inputs)
    assert (caught.value.code, caught.value.seen) == ("E110", seen)
    assert caught.value.accepted
    assert caught.value.hint


def test_inputs_must_agree_on_the_number_of_samples(build):
    graph = build(
        [tensor("a", (1, 4), DType.INT32), tensor("b", (1, 4), DType.INT32)],
        [step("y", Elementwise(function="add"), ("a", "b"), (1, 4), DType.INT32)],
    )
    with pytest.raises(UsageError, match="different numbers"):
        execute(graph, {"a": np.zeros((2, 4), np.int32), "b": np.zeros((3, 4), np.int32)})


def test_a_graph_that_declares_another_shape_is_a_bug(build):
    graph = one_op(build, Reshape(shape=(1, 4)), (1, 2, 2), (1, 5))
    with pytest.raises(InternalError, match="declares"):
        execute(graph, {"x": samples(graph, 1)})


def test_an_op_without_a_kernel_is_a_bug(build):
    graph = one_op(build, Op(), (1, 4), (1, 4))
    with pytest.raises(InternalError, match="no kernel"):
        execute(graph, {"x": samples(graph, 1)})
