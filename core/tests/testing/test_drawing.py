"""What is drawn fits its template, runs in the reference, and covers its contract."""

from collections import Counter

import numpy as np
import pytest

from htvm.ir import ops, requant
from htvm.ir.dtype import DType
from htvm.numerics import execute, random_inputs
from htvm.partition.stage import match_patterns
from htvm.target.contract import Contract
from htvm.target.hardware import Hardware, Memory
from htvm.target.pattern import ANY, COMPUTED, CONSTANT, Pattern, Template
from htvm.testing.cases import ANYTHING, PLAIN, cases_of
from htvm.testing.drawing.deck import Deck
from htvm.testing.drawing.larger import larger
from htvm.testing.drawing.templates import MAKERS, draw_graph

HARDWARE = Hardware(
    name="none",
    description="",
    clock_hz=1,
    memories={"ram": Memory(name="ram", size_bytes=1 << 20)},
    engines={},
    main_memory="ram",
    stack_bytes=0,
)
ENTRIES = {
    ops.Conv2d: (COMPUTED, CONSTANT),
    ops.Dense: (COMPUTED, CONSTANT),
    ops.MatMul: (COMPUTED, COMPUTED),
    ops.Elementwise: (COMPUTED, ANY),
    ops.Concat: (COMPUTED, COMPUTED, COMPUTED),
}
KINDS = (*MAKERS, *requant.Requant.__subclasses__())


def pattern(root):
    return Pattern(name="drawn", engine="npu", root=root)


def conv():
    inner = Template(ops=(ops.Conv2d,), inputs=(COMPUTED, CONSTANT))
    return Template(ops=(requant.ShiftRequant,), inputs=(inner,))


def drawn(root, contract, count, seed=0):
    deck = Deck(seed)
    found = [draw_graph(root, deck, contract) for _ in range(count)]
    return [graph for graph in found if graph is not None]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_op_is_drawn_and_runs_in_the_reference(kind):
    root = Template(ops=(kind,), inputs=ENTRIES.get(kind, (COMPUTED,)))
    graphs = drawn(root, ANYTHING, 12)
    assert len(graphs) >= 6
    for graph in graphs:
        execute(graph, random_inputs(graph, 1, 0, "extreme"))
        (layer,) = match_patterns(graph, [pattern(root)], HARDWARE).layers
        assert len(layer.nodes) == len(graph.nodes)


def test_a_deck_deals_every_value_before_any_comes_again():
    deck = Deck(0)
    dealt = [deck.pick("kernel", (1, 3, 5)) for _ in range(9)]
    assert all(sorted(dealt[at : at + 3]) == [1, 3, 5] for at in (0, 3, 6))
    weighted = Counter(deck.pick("function", ("add", "add", "mul")) for _ in range(30))
    assert weighted == {"add": 20, "mul": 10}


def test_layers_are_the_same_each_time():
    def digest():
        return [
            [tensor.value.tobytes() for tensor in graph.tensors.values() if tensor.is_constant]
            for graph in drawn(conv(), ANYTHING, 5)
        ]

    assert digest() == digest()


def test_a_contract_is_drawn_over_its_whole_range():
    contract = Contract(
        ops=("conv2d",),
        input_types=(DType.INT8,),
        multiplier="channel",
        multiplier_bits=(-16,),
        shift="channel",
        shift_range=(2, 20),
        weight_range=(-7, 7),
        clips=((-128, 127), (0, 127)),
    )
    graphs = drawn(conv(), contract, 120)
    ends = [graph.nodes[-1].op for graph in graphs]
    assert {int(shift) for end in ends for shift in end.shift} == set(range(2, 21))
    assert {(end.lo, end.hi) for end in ends} == {(-128, 127), (0, 127)}
    assert max(int(end.mul.max()) for end in ends) > 2**12
    weights = [graph.tensors[graph.nodes[0].inputs[1]].value for graph in graphs]
    assert {int(w.min()) for w in weights} >= {-7}
    assert all(np.abs(w).max() <= 7 for w in weights)


def test_results_neither_all_saturate_nor_all_vanish():
    spread = 0
    for graph in drawn(conv(), PLAIN, 40):
        (output,) = graph.outputs
        result = execute(graph, random_inputs(graph, 2, 0))[output]
        spread += len(np.unique(result)) > 4
    assert spread > 25


def test_the_corners_of_a_window_are_drawn():
    convs = [graph.nodes[0].op for graph in drawn(conv(), PLAIN, 80)]
    pads = [op.pad for op in convs]
    assert {op.stride for op in convs} >= {(1, 1), (2, 2), (2, 1), (3, 3)}
    assert {op.dilation for op in convs} == {(1, 1), (2, 2)}
    assert any(op.groups > 1 for op in convs)
    assert any(pad[0] != pad[2] or pad[1] != pad[3] for pad in pads)


def test_drawing_ends_when_a_pattern_takes_nothing():
    from htvm.target.pattern import Constraint

    never = Constraint(text="never", check=lambda layer, hardware: "not now")
    refusing = Pattern(name="never", engine="npu", root=conv(), constraints=(never,))
    cases = cases_of(refusing, HARDWARE, 5, 0)
    assert len(cases) == 30
    assert {case.reason for case in cases} == {"never: not now"}


def test_a_larger_layer_has_twice_the_outputs():
    for graph in drawn(conv(), PLAIN, 20):
        grown = larger(graph)
        if graph.nodes[0].op.groups != 1:
            assert grown is None
            continue
        (output,) = graph.outputs
        assert grown.tensors[output].shape[1] == 2 * graph.tensors[output].shape[1]
        execute(grown, random_inputs(grown, 1, 0))
