"""Moments of inputs, however far from zero they lie."""

from __future__ import annotations

import numpy as np
import pytest

from htvm.ir.ops import Pads
from htvm.quantization import kernels
from htvm.quantization.blocks import MOST_TOGETHER, join_weights, split_weights
from htvm.quantization.moments import moments
from htvm.quantization.network import Conv, Dense
from htvm.quantization.rounding import Range, compensated, error, nearest

PADS: Pads = (1, 1, 1, 1)


def dense(inputs: int) -> Dense:
    weights = np.random.default_rng(0).normal(0, 1, (5, inputs)).astype("f4")
    return Dense(weights=weights, bias=np.zeros(5, "f4"))


@pytest.mark.parametrize("offset", [0.0, 3.0, 3e3])
def test_an_offset_hides_no_spread(offset: float) -> None:
    x = np.random.default_rng(1).normal(offset, 0.1, (200, 12)).astype("f4")
    found = moments(dense(12), x, 2 * x)
    want = np.cov(x.astype("f8"), rowvar=False, bias=True)
    assert found.covariance[0] == pytest.approx(want, rel=1e-4, abs=1e-6)
    assert found.cross[0] == pytest.approx(2 * want, rel=1e-4, abs=1e-6)
    assert found.mean[0] == pytest.approx(x.mean(axis=0, dtype="f8"))
    assert found.reference_mean[0] == pytest.approx(2 * found.mean[0])


def test_weights_that_meet_nearly_constant_inputs_can_be_rounded() -> None:
    x = np.random.default_rng(2).normal(40, 1e-3, (30, 64)).astype("f4")
    op = dense(64)
    found = moments(op, x)
    assert np.linalg.eigvalsh(found.covariance[0]).min() > -1e-12
    real, allowed = op.weights[None].astype("f8"), Range(lo=-127, hi=127)
    held = compensated(real, found.covariance, 0.02, allowed) * 0.02
    plain = nearest(real, 0.02, allowed) * 0.02
    assert error(held - real, found.covariance) < error(plain - real, found.covariance)


def test_parts_of_the_samples_add_up_to_the_moments_of_all(monkeypatch) -> None:
    random = np.random.default_rng(3)
    x = (random.normal(0, 1, (9, 4, 6, 5)) + np.arange(9).reshape(9, 1, 1, 1)).astype("f4")
    op = Conv(
        weights=random.normal(0, 1, (6, 2, 3, 3)).astype("f4"),
        bias=np.zeros(6, "f4"),
        pad=PADS,
        groups=2,
    )
    whole = moments(op, x, x + 1)
    monkeypatch.setattr(kernels, "_COLUMNS_AT_ONCE", 1)
    parts = moments(op, x, x + 1)
    for name in ("mean", "covariance", "reference_mean", "cross"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name), rel=1e-4, abs=1e-4)


@pytest.fixture(scope="module")
def many():
    """A layer with more inputs than are correlated with each other, and samples that correlate."""
    random = np.random.default_rng(4)
    x = random.normal(0, 1, (100, 20)) @ random.normal(0, 1, (20, 2500))
    return dense(2500), (x + random.normal(0, 0.5, x.shape)).astype("f4")


def test_what_is_held_of_many_inputs_grows_with_their_number_not_its_square(many) -> None:
    op, x = many
    found = moments(op, x, x + 1)
    assert found.mean.shape == found.reference_mean.shape == (1, 2500)
    assert found.covariance.shape == found.cross.shape
    assert found.covariance.size <= 2500 * MOST_TOGETHER
    width = found.covariance.shape[1]
    second = np.cov(x[:, width : 2 * width].astype("f8"), rowvar=False, bias=True)
    assert found.covariance[1] == pytest.approx(second, rel=1e-3, abs=1e-4)
    assert moments(dense(MOST_TOGETHER), x[:, :MOST_TOGETHER]).covariance.shape[0] == 1


def test_weights_of_many_inputs_are_rounded_by_what_they_do_to_the_output(many) -> None:
    op, x = many
    real, allowed = op.weights[None].astype("f8"), Range(lo=-7, hi=7)
    held = compensated(real, moments(op, x).covariance, 0.4, allowed)
    assert held.shape == real.shape
    ours, plain = (
        ((x - x.mean(axis=0)) @ (rounded * 0.4 - real)[0].T).var()
        for rounded in (held, nearest(real, 0.4, allowed))
    )
    assert ours < 0.2 * plain


def test_blocks_lose_no_weight_of_any_group() -> None:
    weights = np.random.default_rng(5).normal(0, 1, (3, 4, 11))
    apart = split_weights(weights, 6)
    assert apart.shape == (6, 4, 6)
    assert np.array_equal(apart[3], np.pad(weights[1, :, 6:], ((0, 0), (0, 1))))
    assert np.array_equal(join_weights(apart, weights.shape), weights)
