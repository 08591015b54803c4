"""Schedules run on the emulated core: no rule is broken, and the cycles are those promised."""

from dataclasses import asdict

import numpy as np
import pytest
from diana_bench import Emulator, build_emulation
from diana_facts import reverse_words
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tiling_machine import pack_conv, pack_depthwise
from tiling_problems import convolutions

from htvm_diana.cycles import Core
from htvm_diana.problem import NoFit
from htvm_diana.tiling import choose

MODES = {"dense": 0, "conv2d": 1, "depthwise": 2, "sum": 3}
NOT_IN_THE_JOB = ("kind", "output_bytes", "weight_bytes", "cycles", "macs")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build_emulation(tmp_path_factory.mktemp("emulation"))


def bases(choice):
    """Where each operand starts in the arena; the output comes last."""
    sizes = [planes.size_bytes for planes in (*choice.problem.inputs, choice.problem.output)]
    return np.cumsum([0, *(size + size % 4 for size in sizes)])


def play(chip, choice):
    starts = bases(choice)
    for tile in choice.tiles:
        for move in (*tile.loads, *tile.jobs, *tile.stores):
            _step(chip, move, starts)
            chip.wait()
            assert chip.error is None


def _step(chip, step, starts):
    if hasattr(step, "output_bytes"):
        fields = {key: value for key, value in asdict(step).items() if key not in NOT_IN_THE_JOB}
        chip.start(mode=MODES[step.kind], shift=5, **fields)
    elif step.kind == "weights":
        chip.load_weights(step.chunk_bytes, address=step.local_bytes, main=step.main_bytes)
    else:
        start = starts[step.operand] if step.kind == "load" else starts[-2]
        go = chip.load if step.kind == "load" else chip.store
        go(
            step.local_bytes, step.chunk_bytes, main=int(start) + step.main_bytes,
            count=step.count, near=step.local_stride_bytes, far=step.main_stride_bytes,
        )  # fmt: skip


def packed(problem):
    rng = np.random.default_rng(1)
    bias = rng.integers(-5000, 5000, problem.k).astype(np.int32)
    if problem.kind == "depthwise":
        weights = rng.integers(-128, 128, (problem.c, *problem.kernel)).astype(np.int8)
        return pack_depthwise(weights, bias)
    weights = rng.integers(-128, 128, (problem.k, problem.c, *problem.kernel)).astype(np.int8)
    return pack_conv(weights, bias, diagonal=problem.diagonal)


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    problem=convolutions(columns=st.integers(1, 120)),
    l1_bytes=st.sampled_from([4096, 16_384, 256_000]),
    weight_bytes=st.sampled_from([8192, 64_000]),
)
def test_convolutions(library, problem, l1_bytes, weight_bytes):
    choice = choose(problem, Core(l1_bytes=l1_bytes, weight_bytes=weight_bytes))
    assume(not isinstance(choice, NoFit))
    chip = Emulator(library)
    weights = reverse_words(packed(problem))
    assume(weights.size <= chip.constants.size)
    chip.constants[: weights.size] = weights
    chip.begin()

    play(chip, choice)

    assert chip.cycles == choice.cost.total
    chip.end()
