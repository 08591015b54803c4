"""Faults found in earlier DIANA compilers, each held against ours."""

import numpy as np
import pytest
from diana_layers import (
    HARDWARE,
    Case,
    add_graph,
    all_tilings,
    conv_graph,
    layer_of,
    shift_requant,
    verify,
    with_memories,
)

from htvm.api import Launch, Transfer
from htvm_diana import pack
from htvm_diana.runtime import EmulatedChip

TINY = with_memories(l1=8_192, weights=8_192)
CHIP = EmulatedChip(l1_bytes=8_192, weight_bytes=8_192)


def cases(graph, hardware=HARDWARE):
    layer = layer_of(graph, hardware)
    return [
        Case(graph=graph, layer=layer, tiling=tiling, hardware=hardware)
        for tiling in all_tilings(layer, hardware)
    ]


@pytest.mark.parametrize("width", [1, 8, 17, 31])
def test_widths_that_are_no_multiple_of_16(width, tmp_path):
    verify(cases(conv_graph(0, shape=(16, 9, width), outputs=16)), tmp_path)


@pytest.mark.parametrize("channels", [1, 3, 17])
def test_input_channels_that_are_no_multiple_of_16(channels, tmp_path):
    found = cases(conv_graph(0, shape=(channels, 32, 32), outputs=16))
    assert found[0].packed[0].data.size == channels * 9 * 16 + 64
    verify(found, tmp_path)


@pytest.mark.parametrize("outputs", [1, 10, 20])
def test_output_channels_that_are_no_multiple_of_16(outputs, tmp_path):
    verify(cases(conv_graph(0, shape=(16, 8, 8), outputs=outputs)), tmp_path)


def test_the_relu_after_an_add_is_kept(tmp_path):
    found = cases(add_graph(shape=(16, 8, 8), op=shift_requant(0, lo=0)))
    assert all(case.expected.min() == 0 for case in found)
    verify(found, tmp_path)


def test_tiles_stay_inside_l1():
    graphs = [
        conv_graph(0, shape=(16, 60, 60), outputs=48),
        conv_graph(1, shape=(24, 60, 20), outputs=24, groups=24),
        add_graph(shape=(16, 60, 60)),
    ]
    for case in (case for graph in graphs for case in cases(graph, TINY)):
        local = [item for item in case.program.buffers.values() if item.role == "local"]
        assert len(case.program.tiles) > 1
        for buffer in local:
            end = buffer.offset_bytes + buffer.size_bytes
            assert end <= TINY.memories[buffer.memory].size_bytes


@pytest.mark.parametrize(
    ("options", "weights"),
    [({"shape": (20, 12, 12), "groups": 20}, 2_432), ({"shape": (19, 12, 12)}, 3_072)],
    ids=str,
)
def test_weights_of_every_tile_start_at_a_block(options, weights, tmp_path):
    hardware = with_memories(l1=8_192, weights=weights)
    outputs = options["shape"][0] if "groups" in options else 50
    found = cases(conv_graph(0, outputs=outputs, **options), hardware)
    loads = [
        step
        for case in found
        for step in case.program.steps
        if isinstance(step, Transfer) and step.source.buffer == "weights"
    ]
    assert len(loads) > len(found)
    kernel = (3, 3)
    sizes = {pack.depthwise_block_bytes(kernel)}
    sizes |= {pack.conv2d_block_bytes(count, kernel) for count in (16, 19)}
    assert all(any(load.source.offset_bytes % size == 0 for size in sizes) for load in loads)
    verify(found, tmp_path, chip=EmulatedChip(l1_bytes=8_192, weight_bytes=weights))


def test_operands_of_a_sum_have_addresses_of_their_own():
    (case,) = cases(add_graph(shape=(16, 8, 8)))
    (job,) = [step.job for step in case.program.steps if isinstance(step, Launch)]
    assert len({job["input"], job["input2"], job["output"]}) == 3


def test_operands_keep_their_order(tmp_path):
    (case,) = cases(add_graph(shape=(16, 8, 8), function="sub"))
    a, b = (case.inputs[name].astype(int) for name in "ab")
    assert np.array_equal(case.expected, np.clip(a - b, -128, 127))
    verify([case], tmp_path)


@pytest.mark.parametrize("rows", [3, 5, 25])
def test_rows_of_16_bytes_do_not_spill_into_the_next(rows, tmp_path):
    found = cases(conv_graph(0, shape=(24, rows, 9), outputs=40), TINY)
    for case in found:
        case.check()
    verify(found, tmp_path, chip=CHIP)
