"""The static checker: each way a tile program can be wrong."""

from dataclasses import replace

import pytest
from acme import Acme, blocked
from networks import Builder
from stages import build

from htvm.errors import PluginError
from htvm.ir.dtype import DType
from htvm.ir.tensor import Tensor
from htvm.schedule.check import check_program
from htvm.schedule.timeline import bars, timeline
from htvm.target.program import Launch, Program, Span, Tile, Transfer, Wait

MEMORIES = Acme().htvm_hardware().memories
OUT = Tensor(name="y", shape=(1, 11, 12, 10), dtype=DType.INT8)


@pytest.fixture(scope="module")
def program() -> Program:
    net = Builder()
    graph = net.graph(net.conv(net.input("x", (1, 5, 12, 10)), 11, "y"))
    kernels = build(graph).schedule.kernels
    return next(kernel.program for kernel in kernels if kernel.program)


def check(program):
    check_program("y", program, OUT, blocked(OUT.shape), MEMORIES)


def edited(program, tile, step, change):
    """The program with one step replaced by any number of others."""
    tiles = list(program.tiles)
    steps = list(tiles[tile].steps)
    steps[step : step + 1] = change(steps[step])
    tiles[tile] = Tile(label=tiles[tile].label, steps=tuple(steps))
    return replace(program, tiles=tuple(tiles))


def refused(program, words):
    with pytest.raises(PluginError, match="layer y") as caught:
        check(program)
    assert caught.value.code == "E620"
    assert words in caught.value.seen
    return caught.value.seen


def test_right_program_passes_in_several_tiles(program):
    assert len(program.tiles) > 2
    check(program)


@pytest.mark.parametrize(
    ("tile", "step", "words"),
    [
        (1, 1, "still being written"),
        (1, 3, "still being written"),
    ],
    ids=["input", "job"],
)
def test_missing_wait(program, tile, step, words):
    seen = refused(edited(program, tile, step, lambda wait: []), words)
    assert program.tiles[tile].label in seen


def test_missing_last_wait(program):
    refused(edited(program, -1, 5, lambda wait: []), "nothing waits")


def test_overwriting_what_is_being_read(program):
    job = program.tiles[1].steps[2]
    refused(edited(program, 1, 5, lambda wait: [job]), "still being read")


def test_missing_load(program):
    refused(edited(program, 1, 0, lambda load: []), "never written")


def test_missing_store_leaves_elements_unwritten(program):
    refused(edited(program, 1, 4, lambda store: []), "never writes")


def test_store_one_byte_late(program):
    def shift(step):
        assert isinstance(step, Transfer)
        to = step.destination
        return [replace(step, destination=replace(to, offset_bytes=to.offset_bytes + 1))]

    refused(edited(program, -1, 4, shift), "which has")
    refused(edited(program, 1, 4, shift), "never writes")


def test_store_twice(program):
    seen = refused(edited(program, 1, 4, lambda store: [store, Wait(queue="dma"), store]), "again")
    assert "end" in seen
    twice = edited(program, 1, 4, lambda store: [store, Wait(queue="dma"), store])
    check(replace(twice, notes=("recomputes the first tile",)))


def test_buffers_laid_over_each_other(program):
    buffers = dict(program.buffers)
    buffers["y"] = replace(buffers["y"], offset_bytes=buffers["x"].offset_bytes)
    refused(replace(program, buffers=buffers), "still being read")
    buffers = dict(program.buffers)
    buffers["x"] = replace(buffers["x"], offset_bytes=buffers["x"].offset_bytes - 8)
    refused(replace(program, buffers=buffers), "another buffer has overwritten")


def test_buffer_beyond_its_memory(program):
    buffers = dict(program.buffers)
    buffers["y"] = replace(buffers["y"], offset_bytes=MEMORIES["spm"].size_bytes - 8)
    refused(replace(program, buffers=buffers), "spm, which has 1024")


def test_sizes_of_a_transfer_differ(program):
    def shorten(step):
        return [replace(step, source=replace(step.source, run_bytes=step.source.run_bytes - 1))]

    refused(edited(program, 1, 0, shorten), "moves")


def test_strided_span_is_checked_to_its_end(program):
    def stretch(step):
        assert isinstance(step, Launch)
        span = Span(buffer="x", offset_bytes=0, run_bytes=8, repeats=((3, 400),))
        return [replace(step, reads=(span,))]

    refused(edited(program, 1, 2, stretch), "bytes 0..807 of x")


def test_writing_to_an_input(program):
    def back(step):
        return [
            replace(
                step,
                destination=replace(step.destination, buffer="in0", run_bytes=8),
                source=replace(step.source, run_bytes=8),
            )
        ]

    refused(edited(program, 1, 4, back), "may only read")


def test_timeline_overlaps_queues_until_the_wait():
    load = Transfer(
        queue="dma",
        source=Span(buffer="in0", offset_bytes=0, run_bytes=8),
        destination=Span(buffer="x", offset_bytes=0, run_bytes=8),
        cycles=100,
    )
    job = Launch(queue="mac", kind="j", job={}, reads=(), writes=(), cycles=30)
    steps = (load, job, Wait(queue="mac"), job, Wait(queue="dma"), Wait(queue="mac"))
    one = Program(buffers={}, tiles=(Tile(label="t", steps=steps),), host_cycles=1)
    cost = timeline(one)
    assert [(bar.start, bar.end) for bar in bars(one)] == [(1, 101), (2, 32), (33, 63)]
    assert (cost.total, cost.compute, cost.transfer, cost.overhead) == (102, 60, 100, 6)


def test_timeline_is_the_tilings_cost(program):
    assert timeline(program).total == sum(
        step.cycles + 1 for step in program.steps if not isinstance(step, Wait)
    )
