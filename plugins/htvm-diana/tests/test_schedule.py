import pytest
from diana_layers import (
    Case,
    add_graph,
    all_tilings,
    conv_graph,
    dense_graph,
    layer_of,
    shift_requant,
    with_memories,
)

from htvm.api import Launch, Transfer, Wait
from htvm.schedule.timeline import timeline

SMALL = with_memories(l1=12_000, weights=12_000)
RELU = shift_requant(9, lo=0)
LAYERS = {
    "convolution": conv_graph(0, shape=(16, 40, 40), outputs=48, op=RELU),
    "depthwise": conv_graph(1, shape=(24, 30, 20), outputs=24, groups=24),
    "strided": conv_graph(2, shape=(12, 40, 40), outputs=20, stride=(2, 2), pad=(0, 0, 1, 1)),
    "pointwise": conv_graph(3, shape=(64, 20, 20), outputs=64, kernel=(1, 1), pad=(0, 0, 0, 0)),
    "dense": dense_graph(4, shape=(300,), outputs=90),
    "sum": add_graph(shape=(16, 30, 32)),
    "sum with relu": add_graph(shape=(16, 30, 32), op=RELU),
}


def cases():
    for name, graph in LAYERS.items():
        layer = layer_of(graph, SMALL)
        for number, tiling in enumerate(all_tilings(layer, SMALL)):
            case = Case(graph=graph, layer=layer, tiling=tiling, hardware=SMALL)
            yield pytest.param(case, id=f"{name} {number}")


@pytest.fixture(params=cases())
def case(request):
    return request.param


def test_the_checker_has_nothing_to_say(case):
    case.check()


def test_the_small_memory_forces_several_tiles(case):
    assert len(case.program.tiles) > 1


def test_one_thing_at_a_time(case):
    steps = case.program.steps
    for start, wait in zip(steps[::2], steps[1::2], strict=True):
        assert isinstance(start, Transfer | Launch)
        assert wait == Wait(queue=start.queue)


def test_the_timeline_takes_the_cycles_the_tiler_promised(case):
    assert timeline(case.program).total == case.tiling.cost.total


def test_transfers_keep_the_rules(case):
    for step in case.program.steps:
        if not isinstance(step, Transfer):
            continue
        for span in (step.source, step.destination):
            start = case.program.buffers[span.buffer].offset_bytes + span.offset_bytes
            assert start % 16 == 0
            assert all(stride % 16 == 0 and stride < 65_536 for _, stride in span.repeats)
        weights = "weights" in (step.source.buffer, step.destination.buffer)
        assert step.source.run_bytes % (16 if weights else 32) == 0


def test_jobs_lie_in_their_buffers_at_aligned_addresses(case):
    for step in case.program.steps:
        if isinstance(step, Launch):
            addresses = [step.job[name] for name in ("input", "output")]
            assert all(address % 16 == 0 for address in addresses)
            assert step.macs >= 0


def test_a_job_leaves_out_what_its_mode_does_not_use():
    graph = add_graph(shape=(3, 8, 8))
    layer = layer_of(graph)
    (tiling,) = all_tilings(layer)
    (job,) = [
        step.job
        for step in Case(graph=graph, layer=layer, tiling=tiling).program.steps
        if isinstance(step, Launch)
    ]
    assert set(job) == {"mode", "input", "input2", "output", "c", "shift"}
