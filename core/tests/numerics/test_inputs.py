import numpy as np
import pytest

from htvm.ir.dtype import DType
from htvm.ir.graph import Node
from htvm.ir.ops import Clip, Quantize
from htvm.ir.tensor import Quantization, Tensor
from htvm.numerics import execute, random_inputs


def network(build, dtype, op, shape=(1, 2, 3)):
    quantization = Quantization(scale=(0.5,), zero_point=3)
    x = Tensor(name="x", shape=shape, dtype=dtype, quantization=quantization)
    out = op.out if isinstance(op, Quantize) else dtype
    node = Node(name="y", op=op, inputs=("x",), output="y")
    return build([x], [(node, Tensor(name="y", shape=shape, dtype=out))])


@pytest.mark.parametrize("dtype", [DType.INT8, DType.UINT8])
def test_extremes_come_in_order(build, dtype):
    graph = network(build, dtype, Clip(lo=0, hi=9))
    lo, hi = dtype.bounds
    x = random_inputs(graph, 6, seed=0, kind="extreme")["x"]
    assert x.shape == (6, 2, 3)
    assert (x[0] == lo).all()
    assert (x[1] == hi).all()
    assert x[2].tolist() == [[lo, hi, lo], [hi, lo, hi]]
    assert x[3].tolist() == [[hi, lo, hi], [lo, hi, lo]]
    assert (x[4] == 3).all()
    assert set(np.unique(x[5])) <= {lo, hi}


def test_random_covers_the_whole_range_and_repeats(build):
    graph = network(build, DType.UINT8, Clip(lo=0, hi=9), shape=(1, 40, 40))
    first = random_inputs(graph, 3, seed=7)["x"]
    assert (first.min(), first.max(), first.dtype) == (0, 255, np.uint8)
    np.testing.assert_array_equal(first, random_inputs(graph, 3, seed=7)["x"])
    assert (first != random_inputs(graph, 3, seed=8)["x"]).any()


@pytest.mark.parametrize("kind", ["random", "extreme"])
def test_float_inputs_reach_saturation(build, kind):
    op = Quantize(scale=np.float32([0.1]), zero_point=-5, out=DType.INT8, lo=-128, hi=127)
    graph = network(build, DType.FLOAT32, op, shape=(1, 20, 20))
    inputs = random_inputs(graph, 4, seed=0, kind=kind)
    assert inputs["x"].dtype == np.float32
    y = execute(graph, inputs)["y"]
    assert (y.min(), y.max()) == (-128, 127)


def test_an_input_without_a_batch_axis_is_concatenated(build):
    graph = network(build, DType.INT8, Clip(lo=0, hi=9), shape=(4, 3))
    inputs = random_inputs(graph, 2, seed=0)
    assert inputs["x"].shape == (8, 3)
    assert execute(graph, inputs)["y"].shape == (8, 3)
