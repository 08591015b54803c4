"""Programs of drawn layers: checked byte by byte, priced by their timeline, never too large."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.api import (
    Layer,
    Memory,
    Queues,
    Wait,
    WindowEngine,
    box_cycles,
    channel_blocks,
    channels_last,
    timeline,
    window,
    window_tilings,
)
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Node
from htvm.ir.tensor import Tensor, constant
from htvm.schedule.check import check_program
from htvm.schedule.timeline import bars

RAM = Memory(name="ram", size_bytes=1 << 20, align_bytes=8)


def engine(size_bytes=2048, **changes):
    plain = WindowEngine(
        lanes=4,
        layout=lambda shape: channels_last(shape, 4),
        memory=Memory(name="spm", size_bytes=size_bytes, align_bytes=8),
        weight_bytes=lambda one, outputs: outputs * (one.kernel[0] * one.kernel[1] * 4 + 8),
        cycles=lambda tile: 5 + len(tile.rows) * len(tile.columns) * len(tile.outputs),
        job=lambda tile: tile.fields,
        transfer_cycles=lambda span: box_cycles(span, 10, 4),
        host_cycles=2,
    )
    return replace(plain, **changes)


def convolution(channels, outputs, size, kernel=(3, 3), stride=(1, 1), pad=(1, 1, 1, 1), groups=1):
    reach = [size[a] + pad[a] + pad[a + 2] - kernel[a] for a in (0, 1)]
    result = tuple(reach[axis] // stride[axis] + 1 for axis in (0, 1))
    x = Tensor(name="x", shape=(1, channels, *size), dtype=DType.INT8)
    y = Tensor(name="y", shape=(1, outputs, *result), dtype=DType.INT8)
    w = constant("w", np.ones((outputs, channels // groups, *kernel), np.int8), DType.INT8)
    op = ops.Conv2d(stride=stride, pad=pad, groups=groups)
    return layer_of(op, x, w, y)


def dense(channels, outputs):
    x = Tensor(name="x", shape=(1, channels), dtype=DType.INT8)
    y = Tensor(name="y", shape=(1, outputs), dtype=DType.INT8)
    w = constant("w", np.ones((outputs, channels), np.int8), DType.INT8)
    return layer_of(ops.Dense(), x, w, y)


def layer_of(op, x, w, y):
    node = Node(name="n", op=op, inputs=("x", "w"), output="y")
    return Layer(
        name="n",
        engine="npu",
        pattern="conv2d",
        nodes=(node,),
        captures={},
        inputs=(x,),
        output=y,
        tensors={"x": x, "w": w, "y": y},
    )


def checked(layer, plan):
    (tiling,) = window_tilings(layer, plan, main_memory="ram")
    memories = {"ram": RAM, "spm": plan.memory}
    check_program("n", tiling.program, layer.output, tiling.output, memories)
    assert tiling.cost == timeline(tiling.program)
    return tiling


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.data())
def test_drawn_layers_give_right_programs(data):
    draw = data.draw
    size = draw(st.tuples(st.integers(1, 12), st.integers(1, 9)))
    kernel = tuple(draw(st.integers(1, 4)) for _ in size)
    pad = tuple(draw(st.integers(0, 3)) for _ in range(4))
    pad = tuple(max(p, kernel[a % 2] - size[a % 2] if a < 2 else 0) for a, p in enumerate(pad))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    channels = draw(st.integers(1, 9))
    each = draw(st.booleans())
    outputs = channels if each else draw(st.integers(1, 18))
    layer = convolution(channels, outputs, size, kernel, stride, pad, channels if each else 1)
    plan = engine(
        draw(st.sampled_from([1600, 4096])),
        slots=draw(st.sampled_from([1, 2])),
        queues=draw(st.sampled_from([Queues(), Queues(load="dma", store="dma")])),
        layout=draw(
            st.sampled_from([lambda s: channels_last(s, 4), lambda s: channel_blocks(s, 4)])
        ),
    )
    if window_tilings(layer, plan, main_memory="ram"):
        checked(layer, plan)


def test_a_layer_that_is_cut_overlaps_transfers_with_jobs():
    layer = convolution(8, 32, (16, 16))
    both, single = (checked(layer, engine(slots=slots)) for slots in (2, 1))
    parts = both.cost.compute + both.cost.transfer + both.cost.overhead
    assert both.tiles > 1
    assert both.cost.total < 0.9 * parts
    jobs, moves = (
        [bar for bar in bars(single.program) if (bar.queue == "engine") is wanted]
        for wanted in (True, False)
    )
    assert all(job.end <= move.start or move.end <= job.start for job in jobs for move in moves)
    assert both.cost.total < single.cost.total


def test_what_is_still_there_is_not_loaded_again():
    program = checked(convolution(8, 4, (24, 24)), engine()).program
    loads = [s for s in program.steps if not isinstance(s, Wait) and s.queue == "load"]
    assert len(loads) > 3
    assert sum(step.source.buffer == "weights" for step in loads) == 1


def test_more_room_never_costs_cycles():
    costs = [
        checked(convolution(8, 24, (12, 12)), engine(size)).cost.total
        for size in (1500, 2000, 4000, 8000, 64000)
    ]
    assert costs == sorted(costs, reverse=True)


def test_a_layer_that_fits_is_one_tile_with_nothing_to_say():
    tiling = checked(dense(12, 10), engine())
    assert (tiling.tiles, tiling.summary) == (1, "whole layer")
    assert tiling.runner_up.startswith("outputs 8 of 12: ")


def test_a_layer_of_which_no_tile_fits_has_no_tiling():
    assert window_tilings(convolution(8, 8, (4, 4)), engine(256), main_memory="ram") == ()


def test_windows_tell_what_a_range_of_outputs_reads():
    one = window(convolution(4, 4, (10, 10), stride=(2, 2), pad=(0, 1, 1, 0)))
    assert one.reach_rows(range(5)) == one.reach_rows(range(5))
    first, last = one.reach_rows(range(2)), one.reach_rows(range(4, 5))
    assert (first.indices, first.before) == (range(5), 0)
    assert (last.indices, last.before) == (range(8, 10), 0)
    assert (one.reach_columns(range(1)).indices, one.reach_columns(range(1)).before) == (
        range(2),
        1,
    )
    assert one.most_rows(2) == 5


@pytest.mark.parametrize(
    ("pad", "outputs", "first", "before"),
    [((4, 0, 0, 0), range(1), 0, 4), ((0, 0, 4, 0), range(5, 6), 3, -2)],
)
def test_windows_wholly_in_the_padding_still_read_a_row(pad, outputs, first, before):
    one = window(convolution(4, 4, (4, 4), kernel=(3, 3), pad=pad))
    reach = one.reach_rows(outputs)
    assert (reach.first, reach.count, reach.before) == (first, 1, before)


@pytest.mark.parametrize(
    ("groups", "channels", "outputs", "kind"),
    [(1, 4, 4, "conv2d"), (4, 4, 4, "depthwise"), (4, 4, 8, "grouped"), (2, 4, 4, "grouped")],
)
def test_windows_know_how_channels_connect(groups, channels, outputs, kind):
    assert window(convolution(channels, outputs, (4, 4), groups=groups)).kind == kind


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("groups", [1, 8])
def test_the_choice_is_nearly_that_of_scheduling_every_grid(groups, slots, monkeypatch):
    layer, plan = convolution(8, 8, (9, 7), groups=groups), engine(1600, slots=slots)
    chosen = checked(layer, plan).cost.total
    monkeypatch.setattr("htvm.tiling.windows._MOST_GRIDS", 10_000)
    monkeypatch.setattr("htvm.tiling.windows._LEAST_GRIDS", 10_000)
    best = checked(layer, plan).cost.total
    assert best <= chosen <= 1.03 * best
