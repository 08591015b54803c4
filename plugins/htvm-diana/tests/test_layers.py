"""Whole layers, from the integer graph through generated C to the emulated core, to the bit.

Layers are drawn first and then run in a few sanitised programs, because a compiler run for each of
them would take minutes. A failure names the layer's problem, rewrites and tiles.
"""

import numpy as np
import pytest
from diana_layers import (
    Case,
    add_graph,
    all_tilings,
    conv_graph,
    dense_graph,
    shift_requant,
    verify,
    whole_layers,
    with_memories,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from htvm_diana.runtime import EmulatedChip

SEEDS = st.integers(0, 2**16)
SIZES = st.one_of(st.integers(1, 80), st.sampled_from([1, 15, 16, 17, 32, 48]))
EXTENTS = st.one_of(st.integers(1, 24), st.sampled_from([5, 16, 17, 31, 32, 33]))
KERNELS = st.sampled_from([1, 3, 5, 7])
SHIFTS = st.integers(0, 31)
SHARED = st.just(False)
TINY = with_memories(l1=8_192, weights=8_192)


@st.composite
def requants(draw, shifts=SHIFTS):
    return shift_requant(draw(shifts), lo=draw(st.sampled_from([-128, 0])))


@st.composite
def convolutions(draw, kernels=KERNELS, depthwise=SHARED):
    kernel = (draw(kernels), draw(kernels))
    stride = draw(st.sampled_from([1, 2]))
    shape = (draw(SIZES), draw(EXTENTS), draw(EXTENTS))
    single = draw(depthwise)
    pad = [0, 0, 0, 0]
    for axis in (0, 1):
        size, extent = kernel[axis], shape[1 + axis]
        kind = draw(st.sampled_from(["same", "none", "any"]))
        total = max(0, (-(-extent // stride) - 1) * stride + size - extent)
        if kind == "same":
            pad[axis], pad[2 + axis] = total // 2, total - total // 2
        elif kind == "any":
            pad[axis], pad[2 + axis] = (
                draw(st.integers(0, size - 1)),
                draw(st.integers(0, size - 1)),
            )
        lacking = size - extent - pad[axis] - pad[2 + axis]
        pad[2 + axis] += max(0, lacking)
    return conv_graph(
        draw(SEEDS),
        shape=shape,
        outputs=shape[0] if single else draw(SIZES),
        kernel=kernel,
        stride=(stride, stride),
        pad=tuple(pad),
        groups=shape[0] if single else 1,
        op=draw(requants()),
    )


@st.composite
def unusual(draw):
    """Strides, dilations and groups the core has only through rewrites."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    kernel = (draw(st.integers(1, 8)), draw(st.integers(1, 8)))
    stride = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    pad = tuple(draw(st.integers(0, 3)) for _ in range(4))
    shape = (
        groups * draw(st.integers(1, 8)),
        reach[0] + draw(st.integers(0, 20)),
        reach[1] + draw(st.integers(0, 20)),
    )
    return conv_graph(
        draw(SEEDS),
        shape=shape,
        outputs=groups * draw(st.integers(1, 12)),
        kernel=kernel,
        stride=stride,
        pad=pad,
        dilation=dilation,
        groups=groups,
        op=draw(requants()),
    )


@st.composite
def denses(draw):
    shape = draw(st.sampled_from([(1,), (3,)]))
    sizes = st.integers(1, 300) if shape == (1,) else st.integers(1, 9)
    return dense_graph(
        draw(SEEDS),
        shape=tuple(draw(sizes) for _ in range(shape[0])),
        outputs=draw(SIZES),
        op=draw(requants()),
    )


@st.composite
def sums(draw):
    scale = st.sampled_from([None, None, 1, 2, -4])
    return add_graph(
        shape=(draw(SIZES), draw(EXTENTS), draw(EXTENTS)),
        scales=(draw(scale), draw(scale)),
        function=draw(st.sampled_from(["add", "add", "sub"])),
        same=draw(st.sampled_from([False, False, False, True])),
        op=draw(requants(st.integers(0, 8))),
    )


def drawn(strategy, count):
    found = []

    @settings(derandomize=True, max_examples=count, deadline=None, phases=[Phase.generate])
    @given(strategy)
    def collect(graph):
        found.append(graph)

    collect()
    return found


def cases_of(graphs, hardware):
    """Each layer in every way it can run; layers too large for the memories are left out."""
    cases = []
    for number, graph in enumerate(graphs):
        for layer in whole_layers(graph, hardware):
            for tiling in all_tilings(layer, hardware):
                case = Case(graph=graph, layer=layer, tiling=tiling, hardware=hardware, seed=number)
                case.check()
                cases.append(case)
    return cases


FAMILIES = {
    "convolutions": (convolutions(), 120),
    "any kernel": (convolutions(kernels=st.integers(1, 7)), 40),
    "depthwise": (convolutions(depthwise=st.just(True)), 60),
    "unusual": (unusual(), 60),
    "dense": (denses(), 40),
    "sums": (sums(), 60),
}


@pytest.mark.parametrize(("strategy", "count"), FAMILIES.values(), ids=FAMILIES)
def test_drawn_layers_are_bit_exact(strategy, count, tmp_path):
    graphs = drawn(strategy, count)
    assert len(graphs) >= 0.9 * count
    verify(cases_of(graphs, with_memories()), tmp_path)


@pytest.mark.parametrize(("strategy", "count"), FAMILIES.values(), ids=FAMILIES)
def test_drawn_layers_in_tiny_memories_are_bit_exact(strategy, count, tmp_path):
    cases = [case for case in cases_of(drawn(strategy, count // 4), TINY) if case.tiling.tiles > 1]
    assert cases
    verify(cases, tmp_path, chip=EmulatedChip(l1_bytes=8_192, weight_bytes=8_192))


def test_weights_beyond_the_weight_memory(tmp_path):
    graph = conv_graph(0, shape=(64, 8, 8), outputs=256)
    cases = cases_of([graph], with_memories())
    assert cases[0].packed[0].data.size > 64_000
    verify(cases, tmp_path)


def test_maps_beyond_l1(tmp_path):
    graphs = [
        conv_graph(0, shape=(16, 160, 128), outputs=16),
        conv_graph(1, shape=(3, 300, 300), outputs=8, stride=(2, 2), pad=(0, 0, 1, 1)),
        conv_graph(2, shape=(16, 200, 100), outputs=16, groups=16),
        add_graph(shape=(16, 100, 112), op=shift_requant(0, lo=0)),
        add_graph(shape=(16, 100, 112)),
    ]
    cases = cases_of(graphs, with_memories())
    assert all(case.tiling.tiles > 1 for case in cases)
    verify(cases, tmp_path, flags=("-O2",))


def test_code_is_the_same_each_time():
    def bodies():
        return [case.code.body for case in cases_of(drawn(convolutions(), 5), TINY)]

    assert bodies() == bodies()


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compilers_have_no_objection(compiler, tmp_path):
    graphs = drawn(convolutions(), 5) + drawn(denses(), 2) + drawn(sums(), 2)
    verify(
        cases_of(graphs, TINY),
        tmp_path,
        compiler=compiler,
        flags=("-O1",),
        chip=EmulatedChip(l1_bytes=8_192, weight_bytes=8_192),
    )


def test_extreme_inputs_and_weights(tmp_path):
    graph = conv_graph(0, shape=(40, 9, 9), outputs=17, op=shift_requant(0))
    cases = cases_of([graph], with_memories())
    for case, value in zip(cases, (-128, 127), strict=False):
        case.inputs = {name: np.full_like(x, value) for name, x in case.inputs.items()}
        case.expect()
    verify(cases, tmp_path)
