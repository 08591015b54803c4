"""Every misuse of the core is reported, by name, and nothing crashes."""

import re

import diana_facts as facts
import numpy as np
import pytest

from htvm_diana.runtime import EmulatedChip

ROWS = 64


def conv_job(**changes):
    """A 3 x 3 convolution of a 16 x 16 plane at 0 to 16 planes at 4096."""
    job = {
        "mode": 1, "output": 4096, "c": 1, "k": 16, "cx": 16, "cx_pitch": 16, "cy": 16,
        "channel_size": 256, "fx": 3, "fy": 3, "ox": 16, "oy": 16, "stride": 1, "shift": 4,
        "pad_top": 1, "pad_bottom": 1, "pad_side": 1,
    }  # fmt: skip
    return job | changes


@pytest.fixture
def ready(chip):
    """A chip with input and weights for conv_job()."""
    chip.send(0, facts.planes(np.ones((2, 16, 16), np.int8)))
    chip.send_weights(facts.conv_weights(np.ones((16, 1, 3, 3), np.int8), np.zeros(16, np.int32)))
    return chip


def test_conv_job_is_fine(ready):
    ready.run(**conv_job())
    ready.end()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": 4}, "record cannot hold mode"),
        ({"c": 0}, "0 input and 16 output channels"),
        ({"c": 65536}, "record cannot hold c"),
        ({"k": 0}, "1 input and 0 output channels"),
        ({"fx": 4}, "kernel of 4 columns, the core has 1, 3, 5 and 7"),
        ({"fy": 9}, "kernel of 9 rows"),
        ({"fy": 19}, "record cannot hold fy"),
        ({"stride": 3}, "record cannot hold stride"),
        ({"stride": 0}, "record cannot hold stride"),
        ({"shift": 32}, "record cannot hold shift"),
        ({"relu": 2}, "record cannot hold relu"),
        ({"pad_top": 16}, "record cannot hold pad_top"),
        ({"pad_bottom": 16}, "record cannot hold pad_bottom"),
        ({"pad_side": 16}, "record cannot hold pad_side"),
        ({"cx": 0}, "empty plane"),
        ({"ox": 0}, "empty plane"),
        ({"cx": 17}, "rows of 17 columns do not fit a cx_pitch of 16"),
        ({"cx_pitch": 24}, "cx_pitch 24 is not a multiple of 16"),
        ({"c": 2, "channel_size": 250}, "channel_size 250 is not a multiple of 16"),
        ({"pad_side": 0}, "16 output columns need 18 input columns, there are 16 with padding"),
        ({"pad_bottom": 0}, "16 output rows need 18 input rows, there are 17 with padding"),
        ({"input": 8}, "input address 8 is not a multiple of 16"),
        ({"output": 4104}, "output address 4104 is not a multiple of 16"),
        ({"weights": 4}, "weights address 4 is not a multiple of 16"),
        ({"input": 255_984}, "its input covers bytes 255984 to 256239 of L1, which has 256000"),
        ({"output": 252_000}, "its output, whole groups of 16, covers bytes 252000 to 256095"),
        ({"weights": 63_872}, "its weights covers bytes 63872 to 64079 of weight memory"),
        ({"output": 1 << 18}, "record cannot hold output"),
        ({"output": 128}, "its output, from 128 of L1 on, overlaps its input, from 0 on"),
        ({"mode": 2, "k": 2}, "record cannot hold k (depthwise: k = c)"),
        ({"mode": 3, "relu": 1, "c": 32}, "record cannot hold relu (the sum has none)"),
        ({"mode": 3, "c": 40}, "record cannot hold c (sum: a multiple of 16)"),
        ({"mode": 3, "c": 64, "input2": 4096, "output": 4112}, "overlaps its input"),
    ],
)
def test_bad_jobs(ready, changes, message):
    ready.start(**conv_job(**changes))

    assert message in ready.error


@pytest.mark.parametrize(
    ("transfer", "message"),
    [
        ({"size": 16}, "load: length 16 is not a multiple of 32"),
        ({"size": 0}, "nothing to move"),
        ({"size": 32, "count": 0, "near": 32, "far": 32}, "nothing to move"),
        ({"l1": 8}, "scratchpad address 8 is not a multiple of 16"),
        ({"main": 2}, "main memory address"),
        ({"l1": 255_984}, "load covers bytes 255984 to 256015 of L1, which has 256000"),
        ({"count": 2, "near": 32, "far": 65_536}, "main memory stride 65536 does not fit"),
        ({"count": 2, "near": 65_536, "far": 32}, "scratchpad stride 65536 does not fit"),
        ({"count": 2, "near": 40, "far": 32}, "scratchpad stride 40 is not a multiple of 16"),
        ({"count": 2, "near": 16, "far": 32}, "chunks overwrite each other"),
        ({"main": (1 << 20) - 16}, "32 bytes from byte 1048560 of main memory region 0"),
        ({"main": 1 << 24}, "in no declared region"),
    ],
)
def test_bad_loads(chip, transfer, message):
    chip.load(**({"l1": 0, "size": 32} | transfer))

    assert message in chip.error


def test_stores_only_to_writable_memory(chip):
    chip.send(0, np.zeros(32, np.uint8))
    chip.lib.htvm_diana_store(chip.address(chip.constants), 0, 32, 1, 0, 0)

    assert "store: main memory region 1 is read-only" in chip.error


def test_store_of_nothing(chip):
    chip.store(64, 32)

    assert "none of its bytes, from 64 of L1 on, holds a result" in chip.error


def test_weights_beyond_the_weight_memory(chip):
    chip.load_weights(64_016)

    assert "covers bytes 0 to 64015 of weight memory, which has 64000" in chip.error


def test_regions_touching_each_other_stay_apart(idle):
    """A transfer may not run from a buffer into its neighbour, even where that is memory too."""
    parts = [(idle.address(idle.arena, start), 64, 1) for start in (0, 64)]
    idle.lib.htvm_diana_begin(idle.ffi.new("htvm_region[]", parts), 2)
    idle.load(0, 96)

    assert "96 bytes from byte 0 of main memory region 0, which has 64" in idle.error


@pytest.mark.parametrize("first", ["load", "job"])
@pytest.mark.parametrize("second", ["load", "store", "load_weights", "start", "end"])
def test_one_thing_at_a_time(ready, first, second):
    calls = {
        "load": lambda: ready.load(4096, 32),
        "store": lambda: ready.store(0, 32),
        "load_weights": lambda: ready.load_weights(16),
        "start": lambda: ready.start(**conv_job()),
        "end": ready.lib.htvm_diana_end,
    }
    calls["start" if first == "job" else first]()
    assert ready.error is None

    calls[second]()

    what = "job" if first == "job" else "transfer"
    assert re.search(f"a {what} is still under way, a wait is missing", ready.error)


@pytest.mark.parametrize("what", ["transfer", "job"])
def test_layers_end_with_nothing_under_way(ready, what):
    assert ready.lib.htvm_diana_layer_error() == ready.ffi.NULL
    if what == "job":
        ready.start(**conv_job())
    else:
        ready.load(4096, 32)

    assert ready.lib.htvm_diana_layer_error() != ready.ffi.NULL

    assert f"end of the layer: a {what} is still under way, a wait is missing" in ready.error


@pytest.mark.parametrize("byte", range(4, 16))
def test_dense_bias_must_be_sign_extended(chip, byte):
    weights = facts.dense_weights(np.zeros((1, 16), np.int8), np.array([-2], np.int32))
    weights[(256 + byte) ^ 3] = 0
    chip.send(0, np.zeros(16, np.uint8))
    chip.send_weights(weights)
    chip.start(mode=0, output=4096, c=16, k=1)
    chip.wait()

    assert "the bias at byte 256 of the weight memory is not sign extended" in chip.error


def test_calls_outside_a_session(idle):
    idle.load(0, 32)

    assert "called outside begin and end" in idle.error


def test_session_opened_twice(chip):
    chip.begin()

    assert "last session was not ended" in chip.error


def test_store_lands_only_at_the_wait(chip):
    """Until then its destination holds noise."""
    chip.send(0, np.full(32, 7, np.uint8))
    chip.store(0, 32, main=64)
    before = chip.arena[64:96].copy()
    chip.wait()

    assert len(np.unique(before)) > 16
    assert (chip.arena[64:96] == 7).all()


def test_source_changed_under_way(chip):
    chip.load(0, 32)
    chip.arena[5] ^= 1
    chip.wait()

    assert "load: its main memory changed while it was under way" in chip.error


def test_destination_written_under_way(chip):
    chip.send(0, np.zeros(32, np.uint8))
    chip.store(0, 32, main=64)
    chip.arena[64:96] = 1
    chip.wait()

    assert "store: its main memory changed while it was under way" in chip.error


def test_input_never_written(ready):
    ready.start(**conv_job(c=3, input=64))
    ready.wait()

    assert "uses channel 1, row 12, column 0 of its input, L1 byte 512, which was never" in (
        ready.error
    )


def test_input_unwritten_where_nothing_uses_it(ready):
    """A row's filling up to 16, and rows behind the last output, may hold anything."""
    ready.run(**conv_job(cy=33, cx=12, ox=12, pad_bottom=0))


@pytest.mark.parametrize(("top", "l1"), [(0, 0), (1, 32)])
def test_every_other_row_unwritten(chip, top, l1):
    """A 1 x 1 kernel of stride 2 uses every other row."""
    chip.load(l1, 32, count=8, near=64, far=32)
    chip.wait()
    chip.send_weights(facts.conv_weights(np.ones((16, 1, 1, 1), np.int8), np.zeros(16, np.int32)))

    chip.run(
        mode=1, output=4096, c=1, k=16, cx=16, cx_pitch=32, cy=16, channel_size=512, fx=1, fy=1,
        ox=8, oy=8, stride=2, pad_top=top,
    )  # fmt: skip


def test_columns_beside_the_results_are_garbage(ready):
    ready.run(**conv_job(cx=14, ox=14))
    columns = facts.reverse_words(ready.fetch(4096, 4096)).reshape(16, 16, 16)[:, :, 14:]

    assert len(np.unique(columns)) > ROWS


def test_channels_beside_the_results_are_garbage(ready):
    ready.run(**conv_job(k=13))
    planes = ready.fetch(4096, 4096).reshape(16, 256)[13:]

    assert len(np.unique(planes)) > ROWS


def test_job_on_garbage(ready):
    """A second convolution takes 16 columns of rows that only have 14."""
    ready.run(**conv_job(cx=14, ox=14))
    ready.start(**conv_job(input=4096, output=16_384))
    ready.wait()

    assert "row 0, column 14 of its input, L1 byte 4110, which holds what a job wrote beside" in (
        ready.error
    )


@pytest.mark.parametrize(("side", "unused"), [(0, False), (1, True)])
def test_garbage_in_a_column_a_stride_steps_over(ready, side, unused):
    """Of 15 columns, a 1 x 1 kernel of stride 2 uses the last only if it starts at the first."""
    ready.run(**conv_job(cx=14, ox=14))
    ready.start(
        **conv_job(
            input=4096, output=16_384, cx=15, fx=1, fy=1, ox=8, oy=8, stride=2, pad_top=0,
            pad_bottom=0, pad_side=side,
        )
    )  # fmt: skip
    ready.wait()

    assert (ready.error is None) == unused


def test_depthwise_weights_at_the_end_of_their_memory(chip):
    """The last channel's launch reads past its block what it does not use."""
    w, bias = np.full((4, 3, 3), 2, np.int8), np.array([1, 2, 3, 4], np.int32)
    packed = facts.depthwise_weights(w, bias)
    chip.constants[: packed.size] = packed
    chip.load_weights(packed.size, address=64_000 - packed.size)
    chip.wait()
    chip.send(0, facts.planes(np.zeros((4, 3, 16), np.int8)))
    chip.run(
        mode=2, weights=64_000 - packed.size, output=4096, c=4, k=4, cx=16, cx_pitch=16, cy=3,
        channel_size=48, fx=3, fy=3, ox=14, oy=1, stride=1,
    )  # fmt: skip

    result = facts.read_planes(chip.fetch(4096, 64), 4, 1, 14)
    assert (result == bias[:, None, None]).all()


def test_depthwise_spoils_fifteen_planes_behind_its_own(ready):
    """What lies right behind the output of a depthwise job is lost."""
    ready.send_weights(facts.depthwise_weights(np.ones((2, 3, 3), np.int8), np.zeros(2, np.int32)))
    ready.send(4096 + 16 * 256, facts.planes(np.ones((1, 16, 16), np.int8)))
    ready.run(**conv_job(mode=2, c=2, k=2))
    ready.start(**conv_job(input=4096 + 16 * 256, output=16_384))
    ready.wait()

    assert "holds what a job wrote beside its results" in ready.error


def test_weights_never_written(ready):
    ready.start(**conv_job(k=32, output=16_384))
    ready.wait()

    assert "uses byte 208 of the weight memory, which was never written" in ready.error


def test_weights_of_unused_channels_do_not_matter(ready):
    ready.run(**conv_job(k=9))


def test_dense_input_never_written(chip):
    chip.send_weights(facts.dense_weights(np.ones((16, 16), np.int8), np.zeros(16, np.int32)))
    chip.start(mode=0, output=64, c=16, k=16)
    chip.wait()

    assert "uses L1 byte 0 of its input, which was never written" in chip.error


def test_sum_of_never_written(chip):
    chip.send(0, np.zeros(32, np.uint8))
    chip.start(mode=3, input2=32, output=64, c=32)
    chip.wait()

    assert "adds L1 byte 32, which was never written" in chip.error


def test_sum_passes_garbage_on(ready):
    """Whole rows are added, but what fills them up stays unusable."""
    ready.run(**conv_job(cx=14, ox=14))
    ready.run(mode=3, input=4096, input2=4096, output=4096, c=4096)
    ready.start(**conv_job(input=4096, output=16_384))
    ready.wait()

    assert "column 14 of its input" in ready.error


def test_scratchpads_are_lost_between_sessions(ready):
    ready.end()
    ready.begin()
    ready.start(**conv_job())
    ready.wait()

    assert "was never written" in ready.error


@pytest.mark.parametrize(
    ("memory", "offset", "message"),
    [
        ("htvm_diana_l1", -1, "L1: something wrote into the guard below it"),
        ("htvm_diana_weight_memory", 64_000, "weight memory: something wrote into the guard above"),
    ],
)
def test_guards_around_the_scratchpads(chip, memory, offset, message):
    getattr(chip.lib, memory).bytes[offset] ^= 1
    chip.lib.htvm_diana_end()

    assert message in chip.error


def test_first_of_two_broken_guards_is_told(chip):
    chip.lib.htvm_diana_l1.bytes[256_000] ^= 1
    chip.lib.htvm_diana_weight_memory.bytes[64_000] ^= 1
    chip.lib.htvm_diana_end()

    assert "L1: something wrote into the guard above it" in chip.error
    assert chip.lib.htvm_diana_faults() == 2


def test_more_regions_than_the_emulation_holds(idle):
    idle.lib.htvm_diana_begin(idle.ffi.new("htvm_region[]", 1025), 1025)

    assert "1025 regions, the emulation holds 1024" in idle.error


def test_first_fault_is_kept_and_stops_the_rest(chip):
    chip.load(8, 32)
    first = chip.error
    before = chip.arena.copy()
    chip.store(0, 16)
    chip.wait()

    assert chip.error == first
    assert chip.lib.htvm_diana_faults() == 1
    assert (chip.arena == before).all()


def test_smaller_chip(build):
    chip = build(chip=EmulatedChip(l1_bytes=4096, weight_bytes=1024))
    chip.load(4096, 32)

    assert "of L1, which has 4096" in chip.error
