from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from htvm.frontend.simplify import simplify
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.requant import FloatRequant
from htvm.ir.tensor import Tensor, constant
from htvm.numerics import execute


def chain(shape, *steps, dtype=DType.INT8, constants=()):
    """A graph of ops one after the other; each step is an op, its extra inputs, shape, type."""
    tensors = {"x": Tensor(name="x", shape=shape, dtype=dtype)}
    tensors.update({tensor.name: tensor for tensor in constants})
    nodes, last = [], "x"
    for number, (op, extra, out_shape, out_type) in enumerate(steps):
        name = f"t{number}"
        tensors[name] = Tensor(name=name, shape=out_shape, dtype=out_type)
        nodes.append(
            Node(
                name=f"n{number}", op=op, inputs=(last, *extra), output=name, source=(f"s{number}",)
            )
        )
        last = name
    return Graph(
        name="chain",
        inputs=("x",),
        outputs=(last,),
        nodes=tuple(nodes),
        tensors=tensors,
        origin=Origin(path="", format="built"),
    )


def simplified(graph):
    """The graph after simplify, which must still compute the same and tell the same sources."""
    result = simplify(graph)
    x = graph.tensors["x"]
    lo, hi = x.dtype.bounds
    drawn = np.random.default_rng(0).integers(max(lo, -999), min(hi, 999) + 1, (5, *x.shape[1:]))
    inputs = {"x": drawn.astype(x.dtype.numpy)}
    before = execute(graph, inputs)[graph.outputs[0]]
    if result.nodes:
        after = execute(result, inputs)[result.outputs[0]]
        np.testing.assert_array_equal(before, after)
        assert result.outputs == graph.outputs
    assert set(result.tensors) >= {name for node in result.nodes for name in node.inputs}
    return result


def kinds(graph):
    return [node.op.kind for node in graph.nodes]


I8, I32 = DType.INT8, DType.INT32
CLIP = ops.Clip(lo=-50, hi=50)
REQUANT = FloatRequant(out=I8, lo=-128, hi=127, scale=np.array([0.07], "f4"), zero_point=3)


def test_inverse_transposes_cancel_across_pointwise_ops():
    graph = chain(
        (1, 3, 4, 5),
        (ops.Transpose(perm=(0, 2, 3, 1)), (), (1, 4, 5, 3), I32),
        (REQUANT, (), (1, 4, 5, 3), I8),
        (ops.Lut(table=np.arange(127, -129, -1, dtype="i1"), out=I8), (), (1, 4, 5, 3), I8),
        (ops.Transpose(perm=(0, 3, 1, 2)), (), (1, 3, 4, 5), I8),
        dtype=I32,
    )
    result = simplified(graph)
    assert kinds(result) == ["floatrequant", "lut"]
    assert {name for node in result.nodes for name in node.source} == {"s0", "s1", "s2", "s3"}


def test_transposes_compose():
    graph = chain(
        (1, 3, 4, 5),
        (ops.Transpose(perm=(0, 2, 3, 1)), (), (1, 4, 5, 3), I8),
        (ops.Transpose(perm=(0, 2, 1, 3)), (), (1, 5, 4, 3), I8),
    )
    result = simplified(graph)
    assert [node.op.perm for node in result.nodes] == [(0, 3, 2, 1)]


def test_a_transpose_of_empty_axes_is_a_reshape():
    graph = chain((1, 4, 5, 1), (ops.Transpose(perm=(0, 3, 1, 2)), (), (1, 1, 4, 5), I8))
    assert kinds(simplified(graph)) == ["reshape"]


def test_reshapes_merge_and_vanish():
    graph = chain(
        (1, 12),
        (ops.Reshape(shape=(1, 3, 4)), (), (1, 3, 4), I8),
        (ops.Reshape(shape=(1, 12)), (), (1, 12), I8),
        (CLIP, (), (1, 12), I8),
    )
    assert kinds(simplified(graph)) == ["clip"]


@pytest.mark.parametrize(
    "op",
    [
        ops.Lut(table=np.arange(-128, 128, dtype="i1"), out=I8),
        ops.Clip(lo=-128, hi=127),
        ops.Cast(out=I8),
        ops.Concat(axis=1),
        ops.Pad(before=(0, 0), after=(0, 0)),
        ops.Slice(start=(0, 0), stop=(1, 12), step=(1, 1)),
    ],
    ids=lambda op: op.kind,
)
@pytest.mark.parametrize("last", [False, True])
def test_identities_vanish(op, last):
    steps = [(CLIP, (), (1, 12), I8), (op, (), (1, 12), I8)]
    graph = chain((1, 12), *(steps if last else reversed(steps)))
    result = simplified(graph)
    assert kinds(result) == ["clip"]


def test_an_identity_between_input_and_output_stays():
    graph = chain((1, 12), (ops.Reshape(shape=(1, 12)), (), (1, 12), I8))
    assert kinds(simplified(graph)) == ["reshape"]


@pytest.mark.parametrize(
    "clip",
    [
        ops.Clip(lo=3, hi=90),
        ops.Lut(table=np.clip(np.arange(-128, 128), 3, 90).astype("i1"), out=I8),
    ],
    ids=["clip", "table"],
)
def test_clips_become_bounds_of_the_requantisation(clip):
    graph = chain((1, 50), (REQUANT, (), (1, 50), I8), (clip, (), (1, 50), I8), dtype=I32)
    result = simplified(graph)
    assert [(node.op.lo, node.op.hi) for node in result.nodes] == [(3, 90)]


def test_other_tables_stay():
    table = np.clip(np.arange(-128, 128), 3, 90)[::-1].astype("i1")
    lut = ops.Lut(table=table, out=I8)
    graph = chain((1, 50), (REQUANT, (), (1, 50), I8), (lut, (), (1, 50), I8), dtype=I32)
    assert kinds(simplified(graph)) == ["floatrequant", "lut"]


@pytest.mark.parametrize(("value", "merged"), [(7, True), (0, False)])
def test_pads_of_the_zero_point_join_the_convolution(value, merged):
    weights = constant("w", np.random.default_rng(1).integers(-9, 9, (2, 3, 3, 3)), I8)
    graph = chain(
        (1, 3, 5, 5),
        (ops.Pad(before=(0, 0, 0, 1), after=(0, 0, 1, 1), value=value), (), (1, 3, 6, 7), I8),
        (ops.Conv2d(pad=(1, 0, 0, 0), input_zero_point=7), ("w",), (1, 2, 5, 5), I32),
        constants=(weights,),
    )
    result = simplified(graph)
    assert (kinds(result) == ["conv2d"]) == merged
    if merged:
        assert result.nodes[0].op.pad == (1, 1, 1, 1)


def test_dead_nodes_go_and_inputs_stay():
    graph = chain((1, 12), (CLIP, (), (1, 12), I8), (ops.Clip(lo=0, hi=9), (), (1, 12), I8))
    cut = replace(graph, outputs=("t0",))
    assert kinds(simplified(cut)) == ["clip"]
