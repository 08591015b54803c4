"""Calibration data that cannot be right is refused or warned about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from quantize_nets import FloatNet, network, residual, samples

from htvm.errors import UsageError
from htvm.host.inputs import InputSpec
from htvm.quantization.calibration import load_calibration
from htvm.quantization.network import Hint
from htvm.quantization.statistics import gather


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return network(residual(FloatNet(tmp_path_factory.mktemp("net"))))


def load(found, folder, array, **spec):
    np.save(folder / "data.npy", array)
    return load_calibration(InputSpec(path=str(folder / "data.npy"), **spec), found)


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.zeros((4, 5, 12, 12), "f4"), "E124"),
        (np.zeros((0, 3, 12, 12), "f4"), "E125"),
        (np.full((4, 3, 12, 12), "a"), "E126"),
        (np.full((4, 3, 12, 12), np.nan, "f4"), "E127"),
        (np.full((4, 3, 12, 12), 7, "u1"), "E154"),
    ],
    ids=["shape", "empty", "type", "nan", "constant"],
)
def test_bad_data_is_refused(found, tmp_path, array, code) -> None:
    with pytest.raises(UsageError) as error:
        load(found, tmp_path, array)
    assert error.value.code == code


def test_data_that_overflows_is_refused(found) -> None:
    with pytest.raises(UsageError) as error:
        gather(found, {"x": samples(4, 0) * np.float32(1e30)}, seed=0)
    assert error.value.code == "E155"


def test_an_empty_array_is_not_called_uneven(found, tmp_path) -> None:
    with pytest.raises(UsageError, match="holds no samples"):
        load(found, tmp_path, np.zeros((0, 3, 12, 12), "f4"))


def test_a_missing_file_is_refused(found, tmp_path) -> None:
    with pytest.raises(UsageError) as error:
        load_calibration(InputSpec(path=str(tmp_path / "none.npz")), found)
    assert error.value.code == "E120"


def test_a_file_of_another_kind_is_not_called_pickled(found, tmp_path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    with pytest.raises(UsageError) as error:
        load_calibration(InputSpec(path=str(tmp_path / "photo.png")), found)
    assert error.value.code == "E121"
    assert "another kind" in error.value.seen


def test_a_folder_without_images_is_refused(found, tmp_path) -> None:
    with pytest.raises(UsageError) as error:
        load_calibration(InputSpec(path=str(tmp_path)), found)
    assert error.value.code == "E153"


def test_few_or_equal_samples_are_warned_about(found, tmp_path) -> None:
    same = np.repeat(samples(1, 0), 4, axis=0)
    assert len(load(found, tmp_path, same).warnings) == 2
    assert not load(found, tmp_path, samples(20, 0)).warnings


@pytest.mark.parametrize(("scale", "doubtful"), [(1.0, False), (1 / 255, True), (20.0, True)])
def test_data_unlike_what_a_quantised_source_was_made_for_is_warned_about(
    found, tmp_path, scale, doubtful
) -> None:
    quantised = replace(found, hints={"x": Hint(scale=6 / 255, zero_point=0, dtype="int8")})
    warnings = load(quantised, tmp_path, samples(20, 0) * np.float32(scale)).warnings
    assert bool(warnings) == doubtful
    assert all("--calib-scale" in warning for warning in warnings)


def test_layout_scale_and_offset_apply(found, tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 12, 12, 3)).astype("u1")
    given = load(found, tmp_path, pixels, layout="nhwc", scale=1 / 128, offset=-1.0)
    wanted = pixels.transpose(0, 3, 1, 2) / 128.0 - 1
    assert np.allclose(given.arrays["x"], wanted, atol=1e-6)


def test_a_draw_is_the_seeds(found, tmp_path) -> None:
    np.savez(tmp_path / "d.npz", x=samples(40, 0), labels=np.zeros(40, int))
    spec = InputSpec(path=str(tmp_path / "d.npz"))
    first, again, other = (
        load_calibration(spec, found, samples=10, seed=seed).arrays["x"] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
