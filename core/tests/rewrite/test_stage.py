"""What rewriting does for a target, and what it leaves alone."""

from dataclasses import replace

import numpy as np
import pytest
from zoo import chip

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.requant import FloatRequant, ShiftRequant
from htvm.ir.tensor import Tensor, constant
from htvm.numerics import execute
from htvm.plugins.session import open_session
from htvm.rewrite.stage import rewrite

I8, U8, I32, F32 = DType.INT8, DType.UINT8, DType.INT32, DType.FLOAT32
SHIFT_ONLY = 'input_types = ["int8"]\nclips = [[-128, 127], [0, 127]]'
ANYTHING = """
input_types = ["int8", "uint8"]
output_types = ["int8", "uint8", "int32"]
zero_points = true
rounding = "any"
modes = ["shift", "mulshift31", "tflite", "f32", "f32_emul"]
"""


def half_even(halvings, *, lo=-128, hi=127, zero_point=0, out=I8):
    scale = np.array([2.0**-halvings], np.float32)
    return FloatRequant(out=out, lo=lo, hi=hi, scale=scale, zero_point=zero_point)


def graph_of(nodes, tensors):
    return Graph(
        name="g",
        inputs=("x",),
        outputs=(nodes[-1].output,),
        nodes=tuple(nodes),
        tensors={tensor.name: tensor for tensor in tensors},
        origin=Origin(path="", format="built"),
    )


def conv(requant, *, weights=None, bias=0, dtype=I8, side=8, between=(), **attributes):
    """A 3x3 convolution of 4 channels to 4, movements of its accumulator, and its end."""
    drawn = np.random.default_rng(0).integers(-127, 128, (4, 4, 3, 3))
    out = side - 2 + 2 * any(attributes.get("pad", ()))
    tensors = [
        Tensor(name="x", shape=(1, 4, side, side), dtype=dtype),
        constant("w", drawn if weights is None else np.full_like(drawn, weights), I8),
        constant("b", np.full(4, bias), I32),
        Tensor(name="acc", shape=(1, 4, out, out), dtype=I32),
    ]
    nodes = [Node(name="conv", op=ops.Conv2d(**attributes), inputs=("x", "w", "b"), output="acc")]
    for number, (op, shape) in enumerate(between):
        tensors.append(Tensor(name=f"m{number}", shape=shape, dtype=I32))
        nodes.append(
            Node(name=f"m{number}n", op=op, inputs=(nodes[-1].output,), output=f"m{number}")
        )
    tensors.append(Tensor(name="y", shape=tensors[-1].shape, dtype=requant.out))
    nodes.append(Node(name="end", op=requant, inputs=(nodes[-1].output,), output="y"))
    return graph_of(nodes, tensors)


def rewritten(graph, contract=SHIFT_ONLY, **options):
    """The graph after rewriting, which must hold what it held."""
    found = rewrite(graph, open_session(chip(contract, **options)))
    x = graph.tensors["x"]
    values = np.random.default_rng(1).integers(*x.dtype.bounds, (6, *x.shape[1:]), endpoint=True)
    inputs = {"x": values.astype(x.dtype.numpy)}
    before, after = execute(graph, inputs), execute(found.graph, inputs)
    for name in before.keys() & after.keys():
        np.testing.assert_array_equal(after[name], before[name])
    assert found.graph.outputs == graph.outputs
    return found


def kinds(found):
    return [node.op.kind for node in found.graph.nodes]


def refusal(found):
    return found.refusals["conv", "unit"]


def test_half_to_even_becomes_two_convolutions_and_their_mean():
    found = rewritten(conv(half_even(9)))
    assert kinds(found).count("conv2d") == 2
    assert kinds(found)[-2:] == ["elementwise", "floatrequant"]
    assert "up and down, differ on ties only" in found.notes["conv"][0]
    assert found.changes == 1


def test_layers_whose_names_end_alike_stay_apart():
    first, second = conv(half_even(9)), conv(half_even(8), side=6)
    names = {name: f"second {name}" for name in second.tensors if name != "x"}
    nodes = [
        replace(
            node,
            name=f"{number};{node.name}",
            inputs=tuple({**names, "x": "y"}[name] for name in node.inputs),
            output=names[node.output],
        )
        for number, node in enumerate(second.nodes)
    ]
    tensors = [replace(second.tensors[name], name=new) for name, new in names.items()]
    found = rewritten(graph_of([*first.nodes, *nodes], [*first.tensors.values(), *tensors]))
    assert found.changes == 2
    assert len({node.name for node in found.graph.nodes}) == len(found.graph.nodes)


def test_one_shift_is_enough_where_no_accumulator_is_a_tie():
    found = rewritten(conv(half_even(4), weights=2, bias=1))
    assert kinds(found) == ["conv2d", "shiftrequant"]


def test_zero_points_go_into_bias_and_padding():
    found = rewritten(conv(half_even(4), weights=2, bias=1, pad=(1, 1, 1, 1), input_zero_point=-9))
    assert kinds(found) == ["pad", "conv2d", "shiftrequant"]
    assert found.graph.nodes[0].op.value == -9
    op = found.graph.nodes[1].op
    assert (op.input_zero_point, op.pad) == (0, (0, 0, 0, 0))
    assert "the padding holds -9" in found.notes["conv"][0]


def test_a_clip_the_engine_lacks_stays_on_the_host():
    plain = ShiftRequant(
        out=I8, lo=-100, hi=96, mul=np.array([1]), add=np.array([0]), shift=np.array([9])
    )
    assert kinds(rewritten(conv(plain))) == ["conv2d", "shiftrequant", "clip"]


def test_bounds_that_are_never_reached_need_no_clip():
    plain = ShiftRequant(
        out=I8, lo=-100, hi=96, mul=np.array([1]), add=np.array([0]), shift=np.array([12])
    )
    assert kinds(rewritten(conv(plain, weights=9))) == ["conv2d", "shiftrequant"]


def test_unsigned_tensors_are_stored_signed():
    op = half_even(4, lo=0, hi=255, out=U8)
    graph = conv(op, weights=2, bias=1, dtype=U8, input_zero_point=0, pad=(1, 1, 1, 1))
    found = rewritten(graph)
    assert kinds(found) == ["shiftrequant", "pad", "conv2d", "shiftrequant", "shiftrequant"]
    assert found.graph.nodes[1].op.value == -128
    assert found.graph.tensors["x"].dtype is U8


def test_requantisation_moves_before_what_moves_accumulators():
    swap = ops.Transpose(perm=(0, 3, 2, 1))
    pool = ops.MaxPool2d(kernel=(2, 2), stride=(2, 2))
    graph = conv(half_even(9), between=[(pool, (1, 4, 3, 3)), (swap, (1, 3, 3, 4))])
    found = rewritten(graph, ANYTHING)
    assert kinds(found) == ["conv2d", "floatrequant", "maxpool2d", "transpose"]


def test_a_falling_requantisation_does_not_pass_a_maximum():
    falling = ShiftRequant(
        out=I8, lo=-128, hi=127, mul=np.array([-1]), add=np.array([0]), shift=np.array([9])
    )
    pool = ops.MaxPool2d(kernel=(2, 2), stride=(2, 2))
    found = rewritten(conv(falling, between=[(pool, (1, 4, 3, 3))]), ANYTHING)
    assert kinds(found) == ["conv2d", "maxpool2d", "shiftrequant"]


def test_a_target_that_obliges_gets_the_network_as_it_is():
    graph = conv(half_even(9), pad=(1, 1, 1, 1), input_zero_point=-9)
    assert rewritten(graph, ANYTHING).graph.nodes is graph.nodes


def test_an_accumulator_that_can_wrap_is_refused_with_the_value():
    found = rewritten(conv(half_even(20), bias=2**31 - 1000, input_zero_point=-128))
    assert "the accumulator can wrap: channel 0 reaches" in refusal(found)
    assert found.changes == 0


def test_a_bias_that_does_not_hold_the_zero_point_is_refused_with_the_value():
    found = rewritten(conv(half_even(20), weights=-127, bias=2**31 - 2**17, input_zero_point=100))
    assert "the accumulator can wrap" in refusal(found) or "the bias reaches" in refusal(found)
    assert found.changes == 0


def test_a_real_scale_is_refused_with_the_addends_it_asks_for():
    op = replace(half_even(0), scale=np.array([0.0123], np.float32))
    found = rewritten(conv(op))
    assert "f32 equals no addition and shift: with shift 6 channel" in refusal(found)
    assert "would have to add at least" in refusal(found)


def test_constants_that_main_memory_has_no_room_for_are_not_doubled():
    graph = conv(half_even(9))
    assert rewritten(graph, ram_bytes=6000).changes == 1
    found = rewritten(graph, ram_bytes=5000)
    assert found.changes == 0
    assert "main memory has no room for" in refusal(found)


def summed(scales, end):
    """x and its table, dequantised, added and quantised."""
    rng = np.random.default_rng(0)
    shape = (1, 4, 8, 8)
    table = rng.integers(-128, 128, 256).astype(np.int8)
    tensors = [Tensor(name=name, shape=shape, dtype=I8) for name in ("x", "t", "y")]
    tensors += [Tensor(name=name, shape=shape, dtype=F32) for name in ("a", "b", "s")]

    def scaled(scale):
        return ops.Dequantize(scale=np.array([scale], np.float32), zero_point=0)

    quantize = ops.Quantize(
        scale=np.array([end], np.float32), zero_point=0, out=I8, lo=-128, hi=127
    )
    nodes = [
        Node(name="table", op=ops.Lut(table=table, out=I8), inputs=("x",), output="t"),
        Node(name="da", op=scaled(scales[0]), inputs=("x",), output="a"),
        Node(name="db", op=scaled(scales[1]), inputs=("t",), output="b"),
        Node(name="sum", op=ops.Elementwise(function="add"), inputs=("a", "b"), output="s"),
        Node(name="q", op=quantize, inputs=("s",), output="y"),
    ]
    return graph_of(nodes, tensors)


@pytest.mark.parametrize(
    ("scales", "end", "arms"),
    [((0.125, 0.125), 0.125, 1), ((0.0625, 0.125), 0.25, 2), ((0.3, 0.3), 0.3, 1)],
)
def test_sums_in_floats_become_sums_of_whole_multiples(scales, end, arms):
    found = rewritten(summed(scales, end))
    assert found.changes == 1
    assert sum(isinstance(node.op, ShiftRequant) for node in found.graph.nodes) == arms
    assert "for every pair of operands" in found.notes["sum"][0]


def test_a_sum_of_no_whole_multiples_says_which_operands_contradict():
    found = rewritten(summed((0.123, 0.077), 0.2))
    assert found.changes == 0
    assert "equals none of whole multiples" in found.refusals["sum", "unit"]
