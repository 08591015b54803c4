import pytest
from diana_layers import (
    Case,
    add_graph,
    all_tilings,
    conv_graph,
    dense_graph,
    layer_of,
    no_offers,
    shift_requant,
    with_memories,
)

from htvm.api import Cost, DoesNotFitError, InternalError, Tiling, Transfer, row_major
from htvm_diana import packing
from htvm_diana.tilings import own, tilings

SMALL = with_memories(l1=12_000, weights=12_000)
GRAPHS = {
    "convolution": conv_graph(0, shape=(16, 20, 20), outputs=33),
    "depthwise": conv_graph(1, shape=(21, 12, 12), outputs=21, groups=21),
    "dense": dense_graph(2, shape=(70,), outputs=20),
    "sum": add_graph(shape=(16, 30, 32)),
    "sum with relu": add_graph(shape=(16, 30, 32), op=shift_requant(1, lo=0)),
}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_the_size_of_the_constants_is_known_before_they_are_packed(graph):
    for tiling in all_tilings(layer_of(graph)):
        packed = packing.constants(tiling.realisation)
        assert tiling.constant_bytes == sum(item.data.nbytes for item in packed)


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("hardware", [with_memories(), SMALL], ids=["usual", "small"])
def test_an_output_takes_over_only_what_is_read_no_more(graph, hardware):
    layer = layer_of(graph, hardware)
    for tiling in all_tilings(layer, hardware):
        if tiling.in_place is None:
            continue
        case = Case(graph=graph, layer=layer, tiling=tiling, hardware=hardware)
        written: set[int] = set()
        for step in (step for step in case.program.steps if isinstance(step, Transfer)):
            if step.source.buffer == "in0":
                assert not written & bytes_of(step.source)
            elif step.destination.buffer == "out":
                written |= bytes_of(step.destination)
        assert written


def bytes_of(span):
    starts = [span.offset_bytes]
    for count, stride in span.repeats:
        starts = [start + turn * stride for start in starts for turn in range(count)]
    return {start + at for start in starts for at in range(span.run_bytes)}


def test_a_slower_tiling_stays_when_its_weights_are_smaller():
    layer = layer_of(GRAPHS["depthwise"])
    fast, small = tilings(layer, no_offers(layer), with_memories())
    assert fast.cost.total < small.cost.total
    assert fast.constant_bytes > 2 * small.constant_bytes
    assert (fast.inputs, fast.output) == (small.inputs, small.output)


def test_what_fits_nowhere_says_what_it_needs():
    layer = layer_of(GRAPHS["convolution"])
    with pytest.raises(DoesNotFitError) as caught:
        tilings(layer, no_offers(layer), with_memories(l1=1_024))
    assert caught.value.code == "E303"
    assert "L1" in caught.value.seen


def test_tilings_of_other_targets_are_told_apart():
    foreign = Tiling(inputs=(), output=row_major((1,)), cost=Cost(total=0, compute=0))
    with pytest.raises(InternalError):
        own(foreign)
