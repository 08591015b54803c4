"""What the tiler chooses and what it says about it."""

from dataclasses import replace

import pytest

from htvm_diana.cycles import Core
from htvm_diana.problem import NoFit, Problem, planes, vector
from htvm_diana.tiling import choose

CORE = Core(l1_bytes=256_000, weight_bytes=64_000)


def conv(c, k, rows, columns, size=3, **fields):
    pad = size // 2
    return Problem(
        kind=fields.pop("kind", "conv2d"),
        inputs=(planes(c, rows, columns),),
        output=planes(k, rows, columns),
        kernel=(size, size),
        pad_top=pad,
        pad_bottom=pad,
        pad_side=pad,
        macs=c * k * rows * columns * size * size,
        **fields,
    )


def test_a_layer_that_fits_is_one_tile_of_whole_planes():
    layer = conv(16, 16, 32, 32)
    (tile,) = choose(layer, CORE).tiles

    assert [move.count for move in (*tile.loads, *tile.stores)] == [1, 1, 1]
    assert sum(job.macs for job in tile.jobs) == layer.macs


def test_weights_beyond_their_memory_are_cut_in_channels_and_the_input_stays():
    choice = choose(conv(256, 256, 16, 16), CORE)
    loads = [move.kind for tile in choice.tiles for move in tile.loads]

    assert {tile.k[1] - tile.k[0] for tile in choice.tiles} == {16}
    assert loads.count("load") == 1
    assert loads.count("weights") == 16
    assert choice.summary == "K=16 of 256, 16 rows, output stored whole"


def test_cost_is_the_sum_of_its_steps():
    cost = choose(conv(64, 64, 64, 64), replace(CORE, step_cycles=7)).cost

    assert cost.total == cost.compute + cost.transfer + cost.overhead
    assert cost.overhead % 7 == 0
    assert cost.overhead > 0


def test_the_runner_up_costs_more():
    assert choose(conv(16, 16, 32, 32), CORE).runner_up.endswith("cycles, 11.5 % more")
    assert choose(conv(1, 1, 1, 1, 1), CORE).runner_up == "no other tile is legal"


def test_the_same_layer_gives_the_same_schedule():
    layer = conv(64, 64, 64, 64)

    assert choose(layer, CORE) == choose(layer, CORE)


def test_block_diagonal_jobs_read_only_their_own_channels():
    choice = choose(conv(40, 40, 12, 12, diagonal=True), CORE)
    jobs = [job for tile in choice.tiles for job in tile.jobs]

    assert [job.c for job in jobs] == [job.k for job in jobs] == [16, 16, 8]


def test_depthwise_holds_fifteen_planes_of_garbage():
    choice = choose(conv(8, 8, 16, 16, kind="depthwise"), CORE)

    assert choice.tiles[0].jobs[0].output_bytes == (8 + 15) * 256


@pytest.mark.parametrize(
    ("layer", "core", "memory", "text"),
    [
        (
            conv(512, 512, 4, 4, 7),
            CORE,
            "weights",
            "16 output channels need 401472 bytes of weight memory, it has 64000",
        ),
        (
            conv(8, 8, 64, 64),
            replace(CORE, l1_bytes=2300),
            "l1",
            "the smallest legal tile (K=8, output rows 1, output columns 32) needs 2304 bytes "
            "of L1, it has 2300",
        ),
        (
            Problem(kind="dense", inputs=(vector(5000),), output=vector(10)),
            CORE,
            "weights",
            "10 outputs need 80384 bytes of weight memory, it has 64000",
        ),
        (
            Problem(kind="sum", inputs=(vector(64),) * 2, output=vector(64)),
            replace(CORE, l1_bytes=64),
            "l1",
            "32 elements of two inputs and the output need 96 bytes of L1, it has 64",
        ),
        (
            Problem(
                kind="conv2d",
                inputs=(planes(16, 3, 16),),
                output=replace(planes(3, 3, 16), size_bytes=144),
            ),
            CORE,
            "",
            "no tile moves in chunks of 32 bytes without writing over a neighbour",
        ),
        (
            Problem(
                kind="dense",
                inputs=(vector(16),),
                output=replace(vector(10), size_bytes=16),
            ),
            CORE,
            "",
            "transfers move multiples of 32 bytes, but a vector ends at byte 10 of a buffer of 16",
        ),
    ],
)
def test_what_does_not_fit_is_said_with_numbers(layer, core, memory, text):
    found = choose(layer, core)

    assert isinstance(found, NoFit)
    assert (found.memory, found.reason) == (memory, text)
    assert found.needed_bytes > found.available_bytes or not memory
