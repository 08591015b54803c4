"""Results of the emulated core against numpy, for jobs packed by hand."""

import itertools

import diana_facts as facts
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KERNELS = list(itertools.product((1, 3, 5, 7), repeat=2))


def int8(rng, *shape):
    return rng.integers(-128, 128, shape, np.int8)


def int32(rng, size, bits=14):
    return rng.integers(-(1 << bits), 1 << bits, size).astype(np.int32)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("fy", "fx"), KERNELS)
def test_conv_kernels(chip, fy, fx, stride):
    rng = np.random.default_rng(fy * 100 + fx * 10 + stride)
    x, w = int8(rng, 3, 9, 19), int8(rng, 18, 3, fy, fx)
    how = {"stride": stride, "top": fy // 2, "bottom": fy // 2, "side": fx // 2, "shift": 7}

    bias = int32(rng, 18)

    assert (chip.conv(x, w, bias, **how) == facts.conv(x, w, bias, **how)).all()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("fy", "fx"), KERNELS)
def test_depthwise_kernels(chip, fy, fx, stride):
    rng = np.random.default_rng(fy * 100 + fx * 10 + stride)
    x, w = int8(rng, 6, 9, 19), int8(rng, 6, fy, fx)
    how = {"stride": stride, "top": fy // 2, "bottom": fy // 2, "side": fx // 2, "shift": 5}

    bias = int32(rng, 6)

    assert (chip.depthwise(x, w, bias, **how) == facts.depthwise(x, w, bias, **how)).all()


@st.composite
def planes_and_windows(draw):
    fy, fx = draw(st.sampled_from(KERNELS))
    how = {
        "stride": draw(st.sampled_from([1, 2])),
        "top": draw(st.integers(0, 3)),
        "bottom": draw(st.integers(0, 3)),
        "side": draw(st.integers(0, 3)),
        "shift": draw(st.integers(0, 31)),
        "relu": draw(st.sampled_from([0, 1])),
    }
    cy = draw(st.integers(max(1, fy - how["top"] - how["bottom"]), 20))
    cx = draw(st.integers(max(1, fx - 2 * how["side"]), 40))
    return (draw(st.integers(1, 20)), cy, cx), (fy, fx), how


derandomised = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@derandomised
@given(planes_and_windows(), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_conv_shapes(chip, shapes, k, seed):
    shape, kernel, how = shapes
    rng = np.random.default_rng(seed)
    x, w, bias = int8(rng, *shape), int8(rng, k, shape[0], *kernel), int32(rng, k, bits=31)

    assert (chip.conv(x, w, bias, **how) == facts.conv(x, w, bias, **how)).all()


@derandomised
@given(planes_and_windows(), st.integers(0, 2**32 - 1))
def test_depthwise_shapes(chip, shapes, seed):
    shape, kernel, how = shapes
    rng = np.random.default_rng(seed)
    x, w, bias = int8(rng, *shape), int8(rng, shape[0], *kernel), int32(rng, shape[0], bits=31)

    assert (chip.depthwise(x, w, bias, **how) == facts.depthwise(x, w, bias, **how)).all()


@derandomised
@given(
    st.integers(1, 90),
    st.integers(1, 50),
    st.integers(0, 31),
    st.sampled_from([0, 1]),
    st.integers(0, 2**32 - 1),
)
def test_dense_shapes(chip, c, k, shift, relu, seed):
    rng = np.random.default_rng(seed)
    x, w, bias = int8(rng, c), int8(rng, k, c), int32(rng, k, bits=31)

    result = chip.dense(x, w, bias, shift=shift, relu=relu)

    assert (result == facts.dense(x, w, bias, shift=shift, relu=relu)).all()


@pytest.mark.parametrize("shift", range(32))
def test_sum(chip, shift):
    rng = np.random.default_rng(shift)
    a, b = int8(rng, 48), int8(rng, 48)

    assert (chip.add(a, b, shift=shift) == facts.add(a, b, shift=shift)).all()


def test_shift_rounds_down(chip):
    w = np.array([[-1] + [0] * 15], np.int8)

    result = chip.dense(np.full(16, 1, np.int8), w, np.zeros(1, np.int32), shift=4)

    assert result.tolist() == [-1]


def test_accumulator_wraps(chip):
    """One more than the largest int32 is the smallest."""
    w = np.array([[1] + [0] * 15], np.int8)
    bias = np.array([2**31 - 1], np.int32)

    result = chip.dense(np.full(16, 1, np.int8), w, bias, shift=24)

    assert result.tolist() == [-128]


def test_relu_comes_before_saturation(chip):
    w = np.array([[100], [-100]], np.int8)
    x = np.full(1, 127, np.int8)

    assert chip.dense(x, w, np.zeros(2, np.int32), shift=3, relu=1).tolist() == [127, 0]


def test_two_runs_in_a_row_agree(chip):
    """The garbage beside the results differs from run to run; the results do not."""
    rng = np.random.default_rng(0)
    x, w, bias = int8(rng, 5, 7, 11), int8(rng, 9, 5, 3, 3), int32(rng, 9)

    first = chip.conv(x, w, bias, shift=6)
    chip.end()
    chip.begin()

    assert (chip.conv(x, w, bias, shift=6) == first).all()
