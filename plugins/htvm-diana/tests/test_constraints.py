import numpy as np
import pytest
from diana_layers import (
    HARDWARE,
    add_graph,
    all_tilings,
    computed,
    conv_graph,
    dense_graph,
    graph_of,
    layer_of,
    matches,
    reasons,
    shift_requant,
    with_memories,
    with_parameter,
)

from htvm.api import DType, Node, PluginError, constant, ops, requant
from htvm_diana import patterns

MULTIPLIER = requant.Mulshift31Requant(
    out=DType.INT8,
    lo=-128,
    hi=127,
    mul=np.array([2**30], np.int64),
    shift=np.array([38], np.int64),
    zero_point=0,
)


def plain_conv(**changes):
    """A convolution accepted as it stands, with fields of its op changed."""
    graph = conv_graph(0, shape=(3, 8, 8), outputs=4)
    conv = ops.Conv2d(**{"pad": (1, 1, 1, 1), **changes})
    nodes = (Node(name="conv", op=conv, inputs=("x", "w", "b"), output="acc"), graph.nodes[1])
    return graph_of(["x"], nodes, graph.tensors.values())


def retyped(graph, name, dtype):
    tensors = {**graph.tensors}
    old = tensors[name]
    tensors[name] = (
        computed(name, old.shape, dtype)
        if old.value is None
        else constant(name, np.abs(old.value.astype(int)), dtype)
    )
    return graph_of(graph.inputs, graph.nodes, tensors.values())


ACCEPTED = {
    "odd kernel": conv_graph(0, shape=(3, 9, 9), outputs=4, kernel=(7, 5), pad=(3, 2, 3, 2)),
    "even kernel": conv_graph(0, shape=(3, 9, 9), outputs=4, kernel=(2, 4), pad=(0, 1, 1, 2)),
    "no padding": conv_graph(0, shape=(3, 9, 9), outputs=4, pad=(0, 0, 0, 0)),
    "stride 2": conv_graph(0, shape=(3, 9, 9), outputs=4, stride=(2, 2)),
    "stride 3": conv_graph(0, shape=(3, 9, 9), outputs=4, stride=(3, 3)),
    "strides 2 and 1": conv_graph(0, shape=(3, 9, 9), outputs=4, stride=(2, 1)),
    "large strided kernel": conv_graph(
        0, shape=(1, 30, 30), outputs=4, kernel=(10, 11), stride=(2, 2), pad=(4, 5, 4, 5)
    ),
    "dilation": conv_graph(0, shape=(3, 9, 9), outputs=4, dilation=(3, 2), pad=(3, 2, 3, 2)),
    "depthwise": conv_graph(0, shape=(5, 9, 9), outputs=5, groups=5),
    "depthwise multiplier": conv_graph(0, shape=(5, 9, 9), outputs=10, groups=5),
    "groups": conv_graph(0, shape=(4, 9, 9), outputs=6, groups=2),
    "relu": conv_graph(0, shape=(3, 8, 8), outputs=4, op=shift_requant(9, lo=0)),
    "shift 0": conv_graph(0, shape=(3, 8, 8), outputs=4, op=shift_requant(0)),
    "shift 31": conv_graph(0, shape=(3, 8, 8), outputs=4, op=shift_requant(31)),
    "dense": dense_graph(0, shape=(40,), outputs=3),
    "dense of an image": dense_graph(0, shape=(3, 4, 5), outputs=3),
    "largest dense": dense_graph(0, shape=(3984,), outputs=3),
    "add": add_graph(shape=(3, 8, 8)),
    "add with relu": add_graph(shape=(3, 8, 8), op=shift_requant(1, lo=0)),
    "difference": add_graph(shape=(3, 8, 8), function="sub"),
    "scaled add": add_graph(shape=(3, 8, 8), scales=(2, -3), op=shift_requant(2)),
    "twice the same": add_graph(shape=(3, 8, 8), same=True),
}

REJECTED = {
    "input type": (retyped(plain_conv(), "x", DType.UINT8), "int8: x is uint8"),
    "weight type": (retyped(plain_conv(), "w", DType.UINT8), "int8: w is uint8"),
    "arithmetic": (
        conv_graph(0, shape=(3, 8, 8), outputs=4, op=MULTIPLIER),
        "right shift (mode shift): the network asks for mulshift31",
    ),
    "clip": (
        conv_graph(0, shape=(3, 8, 8), outputs=4, op=shift_requant(9, lo=0, hi=96)),
        "clip is 0..96",
    ),
    "input zero point": (plain_conv(input_zero_point=3), "input zero point 3, weight zero point 0"),
    "weight zero point": (plain_conv(weight_zero_point=1), "weight zero point 1"),
    "shift": (
        conv_graph(0, shape=(3, 8, 8), outputs=4, op=shift_requant(33)),
        "one shift of 0 to 31 for all channels: multiplier 1, shift 33",
    ),
    "multiplier": (
        conv_graph(0, shape=(3, 8, 8), outputs=4, op=shift_requant(9, mul=(301,))),
        "multiplier 301, shift 9",
    ),
    "bias": (
        conv_graph(0, shape=(3, 8, 8), outputs=4, op=shift_requant(9, add=(2**31 - 1,))),
        "can leave int32: channel",
    ),
    "kernel": (
        conv_graph(0, shape=(3, 16, 16), outputs=4, kernel=(9, 3)),
        "kernel is 9x3, stride 1x1",
    ),
    "dilated kernel": (
        conv_graph(0, shape=(3, 16, 16), outputs=4, dilation=(4, 1)),
        "kernel is 9x3, stride 1x1",
    ),
    "weights": (
        conv_graph(0, shape=(445, 8, 8), outputs=4),
        "16 outputs take 64144 B of 64000 B",
    ),
    "batch": (
        graph_of(
            ["x"],
            plain_conv().nodes,
            [
                computed(name, (2, *tensor.shape[1:]), tensor.dtype)
                if tensor.value is None
                else tensor
                for name, tensor in plain_conv().tensors.items()
            ],
        ),
        "batch is 1: batch is 2",
    ),
    "dense weights": (
        dense_graph(0, shape=(3985,), outputs=3),
        "16 outputs take 64256 B of weights of 64000 B",
    ),
    "dense shift": (dense_graph(0, shape=(9,), outputs=3, op=shift_requant(40)), "shift 40"),
    "product": (
        add_graph(shape=(3, 8, 8), function="mul"),
        "the operation is not an addition",
    ),
    "add clip": (
        add_graph(shape=(3, 8, 8), op=shift_requant(0, lo=-100)),
        "clip is -100..127",
    ),
    "add scale": (
        add_graph(shape=(3, 8, 8), scales=(301, 1), op=shift_requant(1)),
        "multiplier 1, shift 1",
    ),
    "add of requantised operands": (
        add_graph(shape=(3, 8, 8), widen=shift_requant(1)),
        "an operand is requantised before the addition (wide0)",
    ),
    "add by channel": (
        add_graph(shape=(2, 8, 8), op=shift_requant(1, add=(0, 1), axis=1)),
        "differ from channel to channel",
    ),
}


@pytest.mark.parametrize("graph", ACCEPTED.values(), ids=ACCEPTED)
def test_accepts(graph):
    assert layer_of(graph).engine == "digital"


@pytest.mark.parametrize(("graph", "reason"), REJECTED.values(), ids=REJECTED)
def test_rejects_with_the_reason(graph, reason):
    found = matches(graph)
    assert not found.layers
    assert any(reason in rejection.reason for rejection in found.rejections), reasons(graph)


def test_a_sum_of_different_shapes_is_refused():
    graph = add_graph(shape=(3, 8, 8))
    tensors = {**graph.tensors}
    for name in ("b", "wide1"):
        tensors[name] = computed(name, (1, 3, 1, 1), graph.tensors[name].dtype)
    found = reasons(graph_of(graph.inputs, graph.nodes, tensors.values()))
    assert any("shapes are (1, 3, 1, 1) and (1, 3, 8, 8)" in reason for reason in found)


def test_a_smaller_weight_memory_refuses_more():
    graph = conv_graph(0, shape=(40, 8, 8), outputs=4)
    assert layer_of(graph)
    assert any("of 4096 B" in reason for reason in reasons(graph, with_memories(weights=4096)))


@pytest.mark.parametrize("choice", ["symmetric", "none"])
def test_the_contested_side_padding_is_a_setting(choice):
    hardware = with_parameter("side_padding", choice)
    graph = conv_graph(0, shape=(3, 8, 8), outputs=4)
    first = all_tilings(layer_of(graph, hardware), hardware)[0]
    problem = first.realisation.problem
    assert problem.kernel == (3, 3)
    assert problem.pad_side == (1 if choice == "symmetric" else 0)
    assert (first.inputs[0].fill == 0) == (choice == "none")


def test_an_unknown_side_padding_is_refused():
    with pytest.raises(PluginError, match="side_padding") as caught:
        layer_of(conv_graph(0, shape=(3, 8, 8), outputs=4), with_parameter("side_padding", "left"))
    assert caught.value.accepted == "symmetric or none"


def test_every_constraint_documents_itself():
    for pattern in patterns.patterns(HARDWARE):
        assert pattern.description
        assert all(constraint.text for constraint in pattern.constraints)
