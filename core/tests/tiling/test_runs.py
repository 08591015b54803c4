"""Programs of drawn sums: checked byte by byte, priced by their timeline, never too large."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.api import (
    Layer,
    Memory,
    Queues,
    RunEngine,
    box_cycles,
    channels_last,
    run_tilings,
    timeline,
)
from htvm.errors import InternalError
from htvm.ir.dtype import DType
from htvm.ir.tensor import Tensor
from htvm.schedule.check import check_program

RAM = Memory(name="ram", size_bytes=1 << 20, align_bytes=8)


def engine(size_bytes=2048, **changes):
    plain = RunEngine(
        lanes=4,
        layout=lambda shape: channels_last(shape, 4),
        memory=Memory(name="spm", size_bytes=size_bytes, align_bytes=8),
        cycles=lambda count: 5 + count,
        job=lambda count: {"count": count},
        transfer_cycles=lambda span: box_cycles(span, 10, 4),
        host_cycles=2,
    )
    return replace(plain, **changes)


def summing(*types, result=DType.INT8, shape=(1, 6, 7, 5)):
    inputs = tuple(Tensor(name=f"x{at}", shape=shape, dtype=one) for at, one in enumerate(types))
    output = Tensor(name="y", shape=shape, dtype=result)
    tensors = {tensor.name: tensor for tensor in (*inputs, output)}
    return Layer(
        name="n",
        engine="npu",
        pattern="add",
        nodes=(),
        captures={},
        inputs=inputs,
        output=output,
        tensors=tensors,
    )


def checked(layer, plan):
    (tiling,) = run_tilings(layer, plan, main_memory="ram")
    memories = {"ram": RAM, "spm": plan.memory}
    check_program("n", tiling.program, layer.output, tiling.output, memories)
    assert tiling.cost == timeline(tiling.program)
    return tiling


EIGHT_OR_MORE = st.sampled_from([DType.INT8, DType.UINT8, DType.INT32])


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.data())
def test_drawn_layers_give_right_programs(data):
    draw = data.draw
    layer = summing(
        *draw(st.lists(EIGHT_OR_MORE, min_size=1, max_size=3)),
        result=draw(EIGHT_OR_MORE),
        shape=draw(st.tuples(st.just(1), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))),
    )
    plan = engine(
        draw(st.sampled_from([256, 1024])),
        slots=draw(st.sampled_from([1, 2])),
        queues=draw(st.sampled_from([Queues(), Queues(load="dma", store="dma")])),
    )
    checked(layer, plan)


def test_a_job_has_its_operands_and_its_count():
    tiling = checked(summing(DType.INT8, DType.INT8), engine())
    jobs = [
        step.job for tile in tiling.program.tiles for step in tile.steps if hasattr(step, "job")
    ]
    assert len(jobs) == tiling.tiles
    assert all(set(job) == {"in0", "in1", "output", "count"} for job in jobs)
    assert sum(job["count"] for job in jobs) == tiling.output.size


def test_transfers_run_beside_jobs():
    layer = summing(DType.INT8, DType.INT8, shape=(1, 16, 16, 16))
    beside = checked(layer, engine(slots=2)).cost
    after = checked(layer, engine(slots=1)).cost
    assert beside.total < after.total
    assert beside.total < beside.compute + beside.transfer


def test_no_tile_fits_a_tiny_scratchpad():
    assert run_tilings(summing(DType.INT8), engine(size_bytes=8), main_memory="ram") == ()


def test_several_shapes_are_a_fault_of_the_pattern():
    layer = summing(DType.INT8)
    other = replace(layer, output=replace(layer.output, shape=(1, 6, 1, 1)))
    with pytest.raises(InternalError, match="several shapes: pattern add"):
        run_tilings(other, engine(), main_memory="ram")
