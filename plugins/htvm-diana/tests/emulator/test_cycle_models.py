"""The plug-in's cycle model and the emulation's counter, coded apart, agree."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from htvm_diana import cycles
from htvm_diana.problem import Problem, planes

CORE = cycles.Core(l1_bytes=256_000, weight_bytes=64_000)

derandomised = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def filled(chip):
    """Something in the lower half of L1 and in all of the weight memory; outputs go above."""
    chip.load(0, 128_000)
    chip.wait()
    chip.load_weights(64_000)
    chip.wait()
    return chip


def counted(chip, call, *args, **kwargs):
    before = chip.cycles
    call(*args, **kwargs)
    chip.wait()
    assert chip.error is None
    return chip.cycles - before


@derandomised
@given(st.integers(1, 20).map(lambda n: 32 * n), st.integers(1, 10))
def test_transfers(filled, size, count):
    gap = {"near": size + 16, "far": size + 64}

    assert counted(filled, filled.load, 0, size, count=count, **gap) == cycles.transfer_cycles(
        CORE, size, count
    )


@st.composite
def problems(draw):
    fy, fx = draw(st.sampled_from([1, 3, 5, 7])), draw(st.sampled_from([1, 3, 5, 7]))
    stride, top, bottom, side = (draw(st.integers(low, 3)) for low in (1, 0, 0, 0))
    stride = min(stride, 2)
    cy = draw(st.integers(max(1, fy - top - bottom), 20))
    cx = draw(st.integers(max(1, fx - 2 * side), 40))
    k = draw(st.integers(1, 40))
    kind = draw(st.sampled_from(["conv2d", "depthwise"]))
    oy, ox = (cy + top + bottom - fy) // stride + 1, (cx + 2 * side - fx) // stride + 1
    return Problem(
        kind=kind,
        inputs=(planes(k if kind == "depthwise" else draw(st.integers(1, 20)), cy, cx),),
        output=planes(k, oy, ox),
        kernel=(fy, fx),
        stride=stride,
        pad_top=top,
        pad_bottom=bottom,
        pad_side=side,
    )


@derandomised
@given(problems())
def test_convolutions(filled, problem):
    operand, result = problem.inputs[0], problem.output
    depthwise = problem.kind == "depthwise"
    rows = cycles.row_cycles(CORE, problem, 1 if depthwise else problem.c).sum()

    seen = counted(
        filled,
        filled.start,
        mode=2 if depthwise else 1,
        output=128_000,
        c=problem.c,
        k=problem.k,
        cx=operand.columns,
        cx_pitch=operand.row_pitch_bytes,
        cy=operand.rows,
        channel_size=operand.plane_stride_bytes,
        fx=problem.kernel[1],
        fy=problem.kernel[0],
        ox=result.columns,
        oy=result.rows,
        stride=problem.stride,
        pad_top=problem.pad_top,
        pad_bottom=problem.pad_bottom,
        pad_side=problem.pad_side,
    )

    groups = result.row_pitch_bytes // cycles.LANES
    assert seen == rows * groups * cycles.launches(CORE, problem, problem.k)


@pytest.mark.parametrize(("c", "k"), [(1, 1), (16, 16), (100, 17), (640, 80)])
def test_dense(filled, c, k):
    filled.send_weights(np.zeros(64_000, np.uint8))
    seen = counted(filled, filled.start, mode=0, output=128_000, c=c, k=k)

    assert seen == cycles.dense_cycles(CORE, c, k)


@pytest.mark.parametrize("length", [16, 256, 272, 8192])
def test_sums(filled, length):
    seen = counted(filled, filled.start, mode=3, input2=8192, output=128_000, c=length)

    assert seen == cycles.sum_cycles(CORE, length)
