import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.tensor import Tensor, constant
from htvm.rewrite.ranges import product_reach, weighted_sum, with_bounds


def test_a_weighted_sum_reaches_its_ends_and_nothing_between_its_steps():
    matrix = np.array([[2, -4], [0, 0], [3, 5]])
    reach = weighted_sum(matrix, np.array([1, 7, 0]), (-2, 3))
    values = np.stack(np.meshgrid(np.arange(-2, 4), np.arange(-2, 4)), -1).reshape(-1, 2)
    sums = values @ matrix.T + np.array([1, 7, 0])
    assert reach.least.tolist() == sums.min(axis=0).tolist()
    assert reach.most.tolist() == sums.max(axis=0).tolist()
    assert reach.step.tolist() == [2, 1, 1]
    assert np.all((sums - reach.least) % reach.step == 0)


def test_padding_adds_nothing_whatever_the_inputs():
    reach = weighted_sum(np.array([[1, 1]]), np.array([0]), (5, 9))
    assert (reach.least.tolist(), reach.most.tolist()) == ([0], [18])


def dense(bias, lo=-128, hi=127):
    tensors = [
        Tensor(name="x", shape=(1, 2), dtype=DType.INT8, bounds=(lo, hi)),
        constant("w", [[127, 127], [1, 2]], DType.INT8),
        constant("b", [0, bias], DType.INT32),
        Tensor(name="y", shape=(1, 2), dtype=DType.INT32),
    ]
    node = Node(name="n", op=ops.Dense(), inputs=("x", "w", "b"), output="y")
    return Graph(
        name="g",
        inputs=("x",),
        outputs=("y",),
        nodes=(node,),
        tensors={tensor.name: tensor for tensor in tensors},
        origin=Origin(path="", format="built"),
    )


def test_an_accumulator_that_can_wrap_says_which_and_how_far():
    graph = dense(2**31 - 100)
    reach = product_reach(graph, graph.nodes[0])
    assert reach.overflow == f"channel 1 reaches {2**31 - 100 - 384}..{2**31 - 100 + 381}"
    assert with_bounds(graph).tensors["y"].bounds is None


def test_bounds_of_the_input_narrow_those_of_the_accumulator():
    graph = dense(2**31 - 100, lo=-5, hi=20)
    assert not product_reach(graph, graph.nodes[0]).overflow
    assert with_bounds(dense(0, lo=0, hi=1)).tensors["y"].bounds == (0, 254)


@settings(derandomize=True, max_examples=50, deadline=None)
@given(st.data())
def test_what_is_computed_lies_within_the_bounds(drawn_networks, data):
    from htvm.numerics import execute

    graph, inputs = data.draw(drawn_networks((DType.INT8, DType.UINT8)))
    bounded = with_bounds(graph)
    for name, values in execute(bounded, inputs).items():
        bounds = bounded.tensors[name].bounds
        if bounds is not None:
            assert bounds[0] <= values.min()
            assert values.max() <= bounds[1]
