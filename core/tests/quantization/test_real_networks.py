"""The MLPerf Tiny networks keep their accuracy."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from quantize_nets import by_onnxruntime

from htvm.frontend import read
from htvm.quantization.calibration import checked
from htvm.quantization.execute import output
from htvm.quantization.integer import logits
from htvm.quantization.quantise import quantise
from htvm.quantization.scheme import Scheme
from htvm.quantization.source.read import float_network

SCHEME = Scheme(engine="digital")


@pytest.fixture
def models():
    root = Path(__file__).resolve().parents[3]
    folder = Path(os.environ.get("HTVM_MODELS") or root.parent / "shared/models")
    if not folder.is_dir():
        pytest.skip("no real networks: set HTVM_MODELS or put them in ../shared/models")
    return folder


@pytest.mark.parametrize("file", ["ad01_fp32.tflite"])
def test_the_autoencoder_reconstructs_as_well_as_before(models, file) -> None:
    x = np.load(models / "ad/ad_samples.npz")["input_float"]
    found = float_network(read(models / "ad" / file))
    name = found.inputs[0]
    made = quantise(found, checked({name: x[:98]}, "x"), SCHEME).integers
    ours, before = (
        np.mean((y - x[98:]) ** 2)
        for y in (
            logits(made, {name: x[98:]}),
            output(found, {name: x[98:]}),
        )
    )
    assert ours <= 1.015 * before


@pytest.mark.parametrize("file", ["sww_float.onnx", "str_ww_ref_model.tflite"])
def test_the_wake_word_is_heard(models, file) -> None:
    stored = np.load(models / "sww/sww_samples.npz")
    third = np.arange(45) % 3 == 0
    found = float_network(read(models / "sww" / file))
    name = found.inputs[0]
    data = checked({name: stored["input_float"][third]}, "x")
    made = quantise(found, data, SCHEME).integers
    best = logits(made, {name: stored["input_float"][~third]}).argmax(axis=1)
    assert (best == stored["labels"][~third]).sum() >= 27


@pytest.mark.parametrize(
    ("network", "files"),
    [
        ("resnet8", ("resnet8_float.onnx", "pretrainedResnet.tflite")),
        ("vww", ("vww_float.onnx", "vww_96_float.tflite")),
        ("dscnn", ("dscnn_float.onnx", "kws_ref_model_truefloat.tflite")),
    ],
)
def test_both_formats_of_a_network_compute_what_onnxruntime_does(models, network, files) -> None:
    for file in files:
        found = float_network(read(models / network / file))
        shape = found.shapes[found.inputs[0]]
        x = np.random.default_rng(0).uniform(0, 1, shape).astype("f4")
        given = output(found, {found.inputs[0]: x})
        grown = np.exp(given - given.max())
        wanted = by_onnxruntime(models / network / files[0], x)
        assert np.allclose(grown / grown.sum(), wanted, atol=1e-4)
