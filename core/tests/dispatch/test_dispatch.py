"""Dispatch: never dearer than trying everything, and clear about what it cannot do."""

from itertools import combinations, product
from math import prod

import pytest
from acme import ENGINE, Acme, blocked
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Builder

from htvm.dispatch.candidates import candidates
from htvm.dispatch.plan import ConvertStep
from htvm.dispatch.stage import dispatch
from htvm.errors import UnsupportedModelError, UsageError
from htvm.hookspecs import hookimpl
from htvm.ir.layout import row_major
from htvm.partition.stage import match
from htvm.plugins.session import open_session
from htvm.target.layer import Cost, Tiling


def planned(graph, *, session=None, **options):
    session = session or open_session(Acme)
    return dispatch(match(graph, session), session, **options)


def cheapest_by_trying_everything(graph, session):
    """Every cover, every tiling; a copy for each layout wanted and not made."""
    found = [item for item in candidates(match(graph, session), session) if item.tilings]
    nodes = {node.name for node in graph.nodes}
    best = None
    for count in range(1, len(nodes) + 1):
        for cover in combinations(found, count):
            names = [node.name for item in cover for node in item.layer.nodes]
            if len(names) != len(nodes) or set(names) != nodes:
                continue
            for tilings in product(*(item.tilings for item in cover)):
                cost = cost_of(graph, [(i.layer, t) for i, t in zip(cover, tilings, strict=True)])
                best = cost if best is None else min(best, cost)
    return best


def cost_of(graph, chosen):
    made = {name: row_major(graph.tensors[name].shape) for name in graph.inputs}
    wanted = {name: {row_major(graph.tensors[name].shape)} for name in graph.outputs}
    for layer, tiling in chosen:
        made[layer.output.name] = tiling.output
        for tensor, layout in zip(layer.inputs, tiling.inputs, strict=True):
            wanted.setdefault(tensor.name, set()).add(layout)
    total = sum(tiling.cost.total for _, tiling in chosen)
    for name, layouts in wanted.items():
        copies = sum(not made[name].serves(layout) for layout in layouts)
        total += copies * 4 * prod(graph.tensors[name].shape)
    return total


@st.composite
def networks(draw):
    net = Builder()
    tensors = [net.input("x", (1, draw(st.sampled_from([3, 8, 12])), 2, 3))]
    for number in range(draw(st.integers(1, 5))):
        source = draw(st.sampled_from(tensors[-2:]))
        if draw(st.booleans()):
            tensors.append(net.conv(source, draw(st.sampled_from([4, 8])), f"t{number}"))
        else:
            tensors.append(net.clip(source, f"t{number}"))
    read = {name for node in net.nodes for name in node.inputs}
    ends = [name for name in tensors[1:] if name not in read]
    return net.graph(*ends), str(draw(st.sampled_from([0, 1, 2, 5])))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(networks())
def test_never_dearer_than_trying_everything(case):
    graph, slowness = case
    session = open_session(Acme, settings={"engine.cpu.slowness": slowness})
    plan = planned(graph, session=session)
    assert plan.cycles == cheapest_by_trying_everything(graph, session)
    covered = [node.name for step in plan.layers for node in step.layer.nodes]
    assert sorted(covered) == sorted(node.name for node in graph.nodes)


def test_neighbours_layout_is_taken_up():
    net = Builder()
    x = net.conv(net.input("x", (1, 3, 4, 4)), 8, "a")
    graph = net.graph(net.conv(net.clip(x, "b"), 8, "c"))
    plan = planned(graph)
    assert [step.engine for step in plan.layers] == [ENGINE, "cpu", ENGINE]
    assert plan.layers[1].tiling.output == blocked((1, 8, 4, 4))
    assert sum(isinstance(step, ConvertStep) for step in plan.steps) == 2


def test_copy_is_made_once_for_all_readers():
    net = Builder()
    x = net.input("x", (1, 3, 4, 4))
    ends = [net.conv(x, 8, name) for name in ("a", "b")]
    plan = planned(net.graph(*ends))
    copies = [step for step in plan.steps if isinstance(step, ConvertStep)]
    assert [step.source for step in copies].count("x") == 1
    assert plan.layers[0].inputs == plan.layers[1].inputs


def test_transpose_and_reshape_cost_nothing_where_bytes_agree():
    net = Builder()
    x = net.transpose(net.input("x", (1, 4, 4, 8)), (0, 3, 1, 2), "nchw")
    y = net.transpose(net.conv(x, 8, "y"), (0, 2, 3, 1), "nhwc")
    plan = planned(net.graph(net.reshape(y, (1, 128), "flat")))
    assert [step.engine for step in plan.steps] == [ENGINE]
    assert {view.name for view in plan.views} == {"nchw_node", "nhwc_node", "flat_node"}
    assert plan.storages[plan.values[plan.outputs[0]].buffer].place == "output"


def test_reshape_that_moves_bytes_is_a_copy_first():
    net = Builder()
    y = net.conv(net.input("x", (1, 3, 4, 4)), 5, "y")
    plan = planned(net.graph(net.reshape(y, (1, 80), "flat")))
    assert isinstance(plan.steps[-1], ConvertStep)
    assert plan.values[plan.outputs[0]].layout == row_major((1, 80))


def test_input_that_is_an_output_is_copied():
    net = Builder()
    x = net.input("x", (1, 4))
    plan = planned(net.graph(net.reshape(x, (2, 2), "y"), "y"))
    assert len(plan.steps) == 2
    assert {plan.storages[plan.values[name].buffer].place for name in plan.outputs} == {"output"}


def test_pin_and_its_mistakes():
    net = Builder()
    graph = net.graph(net.conv(net.input("x", (1, 3, 4, 4)), 8, "stem"))
    assert planned(graph).layers[0].engine == ENGINE
    plan = planned(graph, pins={"stem": "cpu"})
    assert plan.layers[0].engine == "cpu"
    assert [(one.engine, one.cycles is not None) for one in plan.layers[0].alternatives] == [
        (ENGINE, True)
    ]
    with pytest.raises(UsageError, match="stam") as caught:
        planned(graph, pins={"stam": "cpu"})
    assert (caught.value.code, "'stem'" in caught.value.hint) == ("E143", True)
    with pytest.raises(UsageError) as caught:
        planned(graph, pins={"stem": "gpu"})
    assert caught.value.code == "E144"


def test_strict_names_the_node_and_the_reason():
    net = Builder()
    graph = net.graph(net.conv(net.input("x", (1, 17, 4, 4)), 8, "wide"))
    assert planned(graph).layers[0].alternatives[0].reason.startswith("at most 16")
    with pytest.raises(UnsupportedModelError, match=r"wide.*conv2d") as caught:
        planned(graph, strict=True)
    assert caught.value.code == "E250"
    assert "there are 17" in caught.value.seen
    assert "--strict" in caught.value.hint


def test_engine_without_a_tiling_says_so():
    net = Builder()
    graph = net.graph(net.conv(net.input("x", (1, 3, 4, 4)), 8, "y"))
    plan = planned(graph, session=open_session(Acme, settings={"memory.spm.size_bytes": "1024"}))
    assert plan.layers[0].engine == ENGINE
    net = Builder()
    graph = net.graph(net.conv(net.input("x", (1, 16, 4, 4)), 80, "y"))
    (other,) = planned(graph).layers[0].alternatives
    assert (other.engine, other.cycles, other.reason) == (
        ENGINE,
        None,
        "no tiling fits its memories",
    )


class Rich:
    """Offers a second tiling of every engine layer: twice the cycles, no constants to speak of."""

    @hookimpl(wrapper=True)
    def htvm_tilings(self, layer, offers, hardware):
        found = yield
        if layer.engine != ENGINE:
            return found
        return tuple(
            Tiling(
                inputs=one.inputs,
                output=one.output,
                cost=Cost(total=one.cost.total * factor, compute=0),
                constant_bytes=size,
            )
            for one in found
            for factor, size in ((1, 1000), (2, 10))
        )


def test_constants_shrink_only_when_they_must():
    net = Builder()
    x = net.input("x", (1, 8, 2, 2))
    graph = net.graph(net.conv(net.conv(net.conv(x, 8, "a"), 8, "b"), 8, "c"))

    def sizes(bytes_of_ram):
        chip = {"memory.ram.size_bytes": str(bytes_of_ram), "engine.cpu.slowness": "10000"}
        session = open_session(Acme, overrides=[Rich()], settings=chip)
        plan = planned(graph, session=session)
        return sorted(step.tiling.constant_bytes for step in plan.layers)

    assert sizes(1 << 20) == [1000, 1000, 1000]
    assert sizes(3500) == [10, 10, 1000]
    assert sizes(2700) == [10, 10, 10]
