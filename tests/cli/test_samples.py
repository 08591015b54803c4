"""Files of samples: what is wrong with one is said in terms of the file and of the network."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from shell import DIGITS

IMAGES = np.zeros((3, 1, 8, 8), np.int8)


class Evil:
    """Would run code when unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("/unpickled"),)


def with_value(value: float) -> np.ndarray:
    images = IMAGES.astype(np.float32)
    images[1, 0, 2, 3] = value
    return images


def zipped(member: str, data: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr(member, data)
    return held.getvalue()


def header(shape: tuple[int, ...]) -> bytes:
    """An array that promises elements and holds none."""
    held = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        held, {"descr": "|i1", "fortran_order": False, "shape": shape}
    )
    return held.getvalue()


@pytest.mark.parametrize(
    ("arrays", "spec", "code", "words"),
    [
        ({"x": IMAGES[:, :, :7]}, "", "E124", ["'image'", "3x1x7x8", "Nx1x8x8"]),
        ({"x": IMAGES.reshape(3, 64)}, "", "E124", ["3x64"]),
        ({"x": np.int8(3)}, "", "E124", ["'image'"]),
        ({"x": np.zeros((3, 8, 8, 2), np.int8)}, "", "E124", ["'image'"]),
        ({"x": IMAGES}, ":y", "E122", ["'y'", "x"]),
        ({"x": IMAGES, "y": IMAGES}, "", "E123", ["x, y", "image"]),
        ({}, "", "E123", ["no arrays"]),
        ({"x": np.array([Evil()], dtype=object)}, "", "E121", ["never loaded"]),
        ({"x": with_value(np.nan)}, "", "E127", ["'image'", "NaN"]),
        ({"x": with_value(np.inf)}, "", "E127", ["'image'"]),
        ({"x": IMAGES[:0]}, "", "E125", ["image: 0"]),
        ({"x": IMAGES[:0].astype(np.float32)}, "", "E125", ["image: 0"]),
        ({"x": IMAGES.astype(np.complex64)}, "", "E126", ["complex64"]),
        ({"x": IMAGES.astype("U1")}, "", "E126", ["'image'"]),
        ({"x": IMAGES.astype("M8[s]")}, "", "E126", ["'image'"]),
        ({"x": IMAGES, "labels": np.zeros(2, int)}, "", "E129", ["3 integers"]),
        ({"x": IMAGES, "labels": np.zeros((3, 1), int)}, "", "E129", ["(3, 1)"]),
        ({"x": IMAGES, "labels": np.zeros(3)}, "", "E129", ["float64"]),
    ],
)
def test_arrays_that_do_not_suit(htvm, tmp_path, arrays, spec, code, words):
    file = tmp_path / "s.npz"
    np.savez(file, **arrays)
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", tmp_path / "o", "--inputs", f"{file}{spec}")
    outcome.refuses(2, code, *words)
    assert not (tmp_path / "o").exists()
    assert not Path("/unpickled").exists()


def test_the_one_array_that_fits_is_meant(htvm, tmp_path):
    file = tmp_path / "s.npz"
    np.savez(file, ids=np.arange(3), pictures=IMAGES, thumbnails=IMAGES[:, :, :4, :4])
    outcome = htvm("verify", DIGITS, "-t", "cpu", "--inputs", file, "--json")
    assert outcome.code == 0, outcome.err
    given = next(one for one in outcome.document["inputs"] if one["kind"] == "given")
    assert given["samples"] == 3


def test_samples_that_look_wrong(htvm, tmp_path):
    file = tmp_path / "s.npy"
    np.save(file, np.full((2, 1, 8, 8), 1e6, np.float32))
    outcome = htvm("verify", DIGITS, "-t", "cpu", "--inputs", file)
    assert outcome.code == 0, outcome.err
    assert "100% of the samples for image lie beyond" in outcome.err
    assert "--input-scale" in outcome.err


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"words",
        b"PK\x03\x04 not really",
        zipped("x.npy", header((1 << 20, 1 << 20))),
        header((1 << 20, 1 << 20)),
        b"\x93NUMPY\x01\x00\x10\x00{'descr': (((((((",
    ],
)
def test_files_that_hold_no_arrays(htvm, tmp_path, content):
    file = tmp_path / "s.npz"
    file.write_bytes(content)
    htvm("verify", DIGITS, "-t", "cpu", "--inputs", file).refuses(2, "E121", "s.npz")


@pytest.mark.parametrize("name", ["notes.txt", "x.npy"])
def test_member_that_is_no_array(htvm, tmp_path, name):
    file = tmp_path / "s.npz"
    file.write_bytes(zipped(name, b"words"))
    htvm("verify", DIGITS, "-t", "cpu", "--inputs", file).refuses(2, "E123", "no arrays")


def test_no_file(htvm, tmp_path):
    for name in ("none.npz", "none.npz:key", "", ":key", "."):
        outcome = htvm("verify", DIGITS, "-t", "cpu", "--inputs", f"{tmp_path}/{name}")
        outcome.refuses(2, "E120", "--inputs")


@pytest.mark.parametrize("layout", [[], ["--input-layout", "nchw"], ["--input-layout", "nhwc"]])
def test_layouts_of_a_grey_image(htvm, tmp_path, layout):
    file = tmp_path / "s.npy"
    np.save(file, IMAGES if "nhwc" not in layout else IMAGES.transpose(0, 2, 3, 1))
    outcome = htvm("verify", DIGITS, "-t", "cpu", "--inputs", file, *layout)
    assert outcome.code == 0, outcome.err


def test_wrong_layout_names_the_right_one(htvm, tmp_path):
    file = tmp_path / "s.npy"
    np.save(file, IMAGES.transpose(0, 2, 3, 1))
    outcome = htvm("verify", DIGITS, "-t", "cpu", "--inputs", file)
    outcome.refuses(2, "E124", "--input-layout nhwc")


def test_labels_no_class_has(htvm, tmp_path):
    file = tmp_path / "s.npz"
    np.savez(file, x=IMAGES, labels=np.array([-1, 10, 1 << 40]))
    outcome = htvm("verify", DIGITS, "-t", "cpu", "--inputs", file)
    assert outcome.code == 0, outcome.err
    assert "0 of 3" in outcome.err


@pytest.mark.parametrize(
    "options",
    [
        ["--input-scale", "nan"],
        ["--input-scale", "1e308"],
        ["--input-offset", "inf"],
        ["--input-offset", "1e9"],
    ],
)
def test_factors_that_leave_no_numbers(htvm, tmp_path, options):
    file = tmp_path / "s.npy"
    np.save(file, IMAGES + 100)
    outcome = htvm("verify", DIGITS, "-t", "cpu", "--inputs", file, *options)
    outcome.refuses(2, "E128" if options[1] == "1e9" else "E127", "'image'")


@pytest.mark.parametrize(
    "options",
    [
        ["--input-scale", "big"],
        ["--input-layout", "hwc"],
        ["--random", "-1"],
        ["--random", "1000000000"],
        ["--seed", "-1"],
        ["--seed", "x"],
        ["--inputs"],
        ["--no-such-option"],
        ["surplus"],
    ],
)
def test_options_that_cannot_be_read(htvm, options):
    htvm("verify", DIGITS, "-t", "cpu", *options).refuses(2, "E100", "--help")


@pytest.mark.parametrize("options", [["--inputs", "s.npz"], ["--sanitize"]])
def test_samples_need_verification(htvm, tmp_path, options):
    out = tmp_path / "o"
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", out, "--no-verify", *options)
    outcome.refuses(2, "E100", options[0], "--no-verify")
