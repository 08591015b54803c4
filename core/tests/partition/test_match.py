"""Matching templates, and the layers and reasons that come of it."""

import pytest
from acme import ENGINE, Acme
from networks import Builder

from htvm.errors import PluginError
from htvm.hookspecs import hookimpl
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.partition.names import identifier, unique
from htvm.partition.stage import match
from htvm.partition.templates import match_template
from htvm.plugins.session import open_session
from htvm.target.pattern import ANY, COMPUTED, CONSTANT, Constraint, Pattern, Template


def fits(graph, template):
    return [
        (root.output, sorted(found.nodes), dict(found.captures))
        for root in graph.nodes
        for found in match_template(graph, template, root)
    ]


def clip(inner, **options):
    return Template(ops=(ops.Clip,), inputs=(inner,), **options)


def test_chain_is_matched_from_its_end():
    net = Builder()
    graph = net.graph(net.clip(net.clip(net.clip(net.input("x", (2,)), "a"), "b"), "c"))
    found = fits(graph, clip(clip(COMPUTED)))
    assert [nodes for _, nodes, _ in found] == [["a_node", "b_node"], ["b_node", "c_node"]]


def test_optional_node_matches_with_and_without():
    net = Builder()
    graph = net.graph(net.clip(net.clip(net.input("x", (2,)), "a"), "b"))
    found = fits(graph, clip(clip(COMPUTED, optional=True)))
    assert sorted(nodes for _, nodes, _ in found) == [["a_node"], ["a_node", "b_node"], ["b_node"]]


def test_commutative_inputs_match_either_way():
    net = Builder()
    x = net.input("x", (2,), DType.INT32)
    y = net.clip(x, "y")
    net.constant("c", [1, 2], DType.INT32)
    add = ops.Elementwise(function="add")
    graph = net.graph(
        net.add(add, ["c", y], (2,), DType.INT32, name="z"),
        net.add(add, [y, "c"], (2,), DType.INT32, name="u"),
    )
    template = Template(ops=(ops.Elementwise,), inputs=(COMPUTED, CONSTANT), commutative=True)
    assert [root for root, _, _ in fits(graph, template)] == ["z", "u"]


@pytest.mark.parametrize(
    ("inputs", "matches"),
    [
        ((ANY, ANY, ANY), 1),
        ((COMPUTED, COMPUTED), 1),
        ((COMPUTED,), 0),
        ((ANY, CONSTANT), 0),
        ((COMPUTED, COMPUTED, COMPUTED), 0),
    ],
)
def test_number_of_inputs(inputs, matches):
    net = Builder()
    x = net.input("x", (1, 2))
    graph = net.graph(net.add(ops.Concat(axis=1), [x, x], (1, 4), DType.INT8, name="y"))
    assert len(fits(graph, Template(ops=(ops.Concat,), inputs=inputs))) == matches


def test_layer_has_all_it_needs_and_the_sources_name():
    net = Builder()
    graph = net.graph(net.conv(net.input("x", (1, 3, 4, 5)), 7, "stem/Conv:0"))
    layer = next(one for one in match(graph, open_session(Acme)).layers if one.engine == ENGINE)
    assert layer.name == "stem_Conv_0"
    assert layer.macs == 7 * 3 * 4 * 5
    assert [tensor.name for tensor in layer.inputs] == ["x"]
    assert layer.output.name == "stem/Conv:0"
    assert layer.constant("conv", 1).shape == (7, 3, 1, 1)
    assert layer.constant("conv", 2) is None


def test_reasons_for_turning_down():
    net = Builder()
    wide = net.conv(net.input("x", (1, 17, 2, 2)), 4, "wide")
    shared = net.conv(wide, 4, "shared")
    graph = net.graph(shared, "shared_acc")
    found = match(graph, open_session(Acme))
    reasons = {(one.pattern, one.nodes[-1]): one.reason for one in found.rejections}
    assert reasons["pointwise", "wide_node"] == "at most 16 input channels: there are 17"
    assert "'shared_acc' is also read outside" in reasons["pointwise", "shared_node"]


class Raising:
    @hookimpl
    def htvm_patterns(self, hardware):
        check = Constraint(text="never", check=lambda layer, chip: {}["missing"])
        return (Pattern(name="bad", engine="cpu", root=clip(COMPUTED), constraints=(check,)),)


def test_constraint_that_fails_is_named():
    net = Builder()
    graph = net.graph(net.clip(net.input("x", (2,)), "y"))
    with pytest.raises(PluginError, match="'bad'") as caught:
        match(graph, open_session(Acme, overrides=[Raising()]))
    assert caught.value.code == "E614"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a/b:0", "a_b_0"),
        ("../../etc/passwd", "etc_passwd"),
        ('"*/ int x; /*\n', "int_x"),
        ("3x3", "layer_3x3"),
        ("日本", "layer"),
        ("", "layer"),
        ("a" * 99, "a" * 48),
    ],
)
def test_identifier(text, name):
    assert identifier(text) == name


def test_unique_ignores_case():
    assert unique(["a", "A", "a", "a_2"]) == ("a", "A_2", "a_3", "a_2_2")
