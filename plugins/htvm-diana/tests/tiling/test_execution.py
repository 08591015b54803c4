"""Schedules run on a machine that knows the rules give the layer's result, each element once."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiling_machine import (
    Machine,
    convolve,
    data_bytes,
    pack_conv,
    pack_dense,
    pack_depthwise,
    saturate,
)
from tiling_problems import convolutions, cores

from htvm_diana.cycles import Core
from htvm_diana.problem import NoFit, Planes, Problem, planes, vector
from htvm_diana.tiling import choose

SHIFT = 5
WIDE = st.integers(40, 200)


def random(*shape, seed=1):
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def biases(count):
    return np.random.default_rng(2).integers(-5000, 5000, count).astype(np.int32)


def reference(problem, inputs, weights, bias):
    rows = (problem.pad_top, problem.pad_bottom)
    x = np.concatenate(inputs).astype(np.int64)
    x = np.pad(x, ((0, 0), rows, (problem.pad_side, problem.pad_side)))
    if problem.kind == "depthwise":
        parts = [
            convolve(x[c : c + 1], weights[c : c + 1, None], bias[c : c + 1], problem.stride)
            for c in range(len(x))
        ]
        result = np.concatenate(parts)
    else:
        result = convolve(x, weights, bias, problem.stride)
    return saturate(result[:, : problem.output.rows, : problem.output.columns], SHIFT)


def arrays(problem):
    """Inputs, weights and bias of a convolution."""
    inputs = [random(p.channels, p.rows, p.columns, seed=n) for n, p in enumerate(problem.inputs)]
    if problem.kind == "depthwise":
        return inputs, random(problem.c, *problem.kernel), biases(problem.k)
    weights = random(problem.k, problem.c, *problem.kernel)
    if problem.diagonal:
        block = np.arange(problem.k) // 16
        weights[block[:, None] != block] = 0
    return inputs, weights, biases(problem.k)


def run(core, choice, inputs, packed):
    """Run a schedule; returns its output after checking what it touched."""
    machine = Machine(core, choice, inputs, packed, SHIFT)
    result = machine.run()
    assert (machine.writes[data_bytes(choice.problem.output)] == 1).all()
    return result


def check(problem, core):
    choice = choose(problem, core)
    if isinstance(choice, NoFit):
        return choice
    inputs, weights, bias = arrays(problem)
    if problem.kind == "depthwise":
        packed = pack_depthwise(weights, bias)
    else:
        packed = pack_conv(weights, bias, diagonal=problem.diagonal)
    result = run(core, choice, inputs, packed)
    np.testing.assert_array_equal(result, reference(problem, inputs, weights, bias))
    return choice


@settings(max_examples=150, deadline=None, derandomize=True)
@given(problem=convolutions(), core=cores())
def test_convolutions(problem, core):
    choice = check(problem, core)
    assume(not isinstance(choice, NoFit))
    for region, size in (
        (choice.output, core.l1_bytes),
        (choice.inputs[0], core.l1_bytes),
        (choice.weights, core.weight_bytes),
    ):
        assert region.offset_bytes + region.size_bytes <= size


@settings(max_examples=60, deadline=None, derandomize=True)
@given(problem=convolutions(columns=WIDE), core=cores())
def test_wide_maps_are_cut_in_columns(problem, core):
    assume(not isinstance(check(problem, core), NoFit))


def test_a_row_too_long_for_l1_is_cut_with_a_halo():
    row = Problem(
        kind="conv2d",
        inputs=(planes(8, 3, 320),),
        output=planes(8, 3, 320),
        kernel=(3, 3),
        pad_top=1,
        pad_bottom=1,
        pad_side=1,
    )
    choice = check(row, Core(l1_bytes=6000, weight_bytes=64_000))

    assert len({tile.x for tile in choice.tiles}) > 1
    assert {job.pad_side for tile in choice.tiles for job in tile.jobs} == {1}
    assert [tile.jobs[0].ox for tile in choice.tiles[:2]] == [
        choice.tiles[0].x[1],
        choice.tiles[1].x[1] - choice.tiles[1].x[0] + 16,
    ]


def test_interior_tiles_have_no_zero_rows():
    layer = Problem(
        kind="conv2d",
        inputs=(planes(16, 24, 32),),
        output=planes(16, 24, 32),
        kernel=(5, 5),
        pad_top=2,
        pad_bottom=2,
        pad_side=2,
    )
    choice = check(layer, Core(l1_bytes=12_000, weight_bytes=64_000))
    pads = [(job.pad_top, job.pad_bottom) for tile in choice.tiles for job in tile.jobs]

    assert len(pads) > 2
    assert pads[0] == (2, 0)
    assert pads[-1] == (0, 2)
    assert set(pads[1:-1]) == {(0, 0)}


def test_odd_rows_of_16_bytes_at_the_end_take_the_row_above():
    tight = Planes(
        channels=16, rows=9, columns=10, row_pitch_bytes=16, plane_stride_bytes=144, size_bytes=2304
    )
    layer = Problem(kind="conv2d", inputs=(tight,), output=planes(16, 9, 10), kernel=(1, 1))
    whole = check(layer, Core(l1_bytes=8192, weight_bytes=4096))

    assert len(whole.tiles) == 1


@pytest.mark.parametrize("kept", [1024, 400])
def test_dense(kept):
    layer = Problem(kind="dense", inputs=(vector(100),), output=vector(90))
    weights, bias = random(90, 100), biases(90)
    core = Core(l1_bytes=kept, weight_bytes=5000)
    choice = choose(layer, core)
    padded = np.zeros((1, 1, 112), np.int8)
    padded[..., :100] = random(1, 1, 100)
    wide = Problem(kind="dense", inputs=(vector(112),), output=vector(90))
    assert choose(wide, core).cost == choice.cost
    expected = saturate(weights.astype(np.int64) @ padded[0, 0, :100] + bias, SHIFT)

    result = run(core, choice, [padded[..., :100]], pack_dense(weights, bias))

    np.testing.assert_array_equal(result[0, 0], expected)


def test_sum_in_chunks():
    layer = Problem(kind="sum", inputs=(vector(1000), vector(1000)), output=vector(1000))
    left, right = random(1, 1, 1000), random(1, 1, 1000, seed=3)
    core = Core(l1_bytes=800, weight_bytes=0)
    choice = choose(layer, core)

    result = run(core, choice, [left, right], np.zeros(0, np.int8))

    assert len(choice.tiles) == 4
    np.testing.assert_array_equal(result, saturate(left.astype(np.int64) + right, SHIFT))


def test_two_inputs_stacked_as_channels():
    layer = Problem(
        kind="conv2d", inputs=(planes(20, 9, 10), planes(16, 9, 10)), output=planes(36, 9, 10)
    )
    choice = check(layer, Core(l1_bytes=16_000, weight_bytes=8_000))

    assert {move.operand for tile in choice.tiles for move in tile.loads} == {0, 1}
