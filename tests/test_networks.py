"""Every real network on every target: bit-exact, and on the accelerator where it can be."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import htvm


class Network(NamedTuple):
    """A network's folder, its official int8 file, and its input as the samples file names it."""

    name: str
    official: str


NETWORKS = (
    Network("resnet8", "pretrainedResnet_quant.tflite"),
    Network("vww", "vww_96_int8.tflite"),
    Network("dscnn", "kws_ref_model.tflite"),
    Network("ad", "ad01_int8.tflite"),
    Network("sww", "str_ww_ref_model.tflite"),
)
FORMS = ("int8_tfl_qdq", "int8_tfl_qop", "ptq_pc_qdq", "ptq_pt_qdq", "ptq_po2_qdq")
WITH_INTEGER_FORM = tuple(network.name for network in NETWORKS if network.name != "sww")


@pytest.mark.parametrize("name", WITH_INTEGER_FORM)
def test_integer_networks_run_on_diana(models: Path, tmp_path: Path, name: str) -> None:
    stored = np.load(models / name / f"{name}_diana_ql_io.npz")
    result = htvm.deploy(
        models / name / f"{name}_diana_ql.onnx",
        target="diana",
        output=tmp_path / "out",
        inputs=f"{models / name / f'{name}_diana_ql_io.npz'}:input_int8_nchw",
    )
    (outputs,) = result.outputs.values()
    expected = stored["output_int8"]
    np.testing.assert_array_equal(outputs.reshape(expected.shape), expected)
    assert result.report.verification.verdict == "exact"
    assert result.report.totals.macs_offloaded_fraction == 1.0


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_official_networks_equal_the_reference_kernels(models: Path, network: Network) -> None:
    samples = models / network.name / f"{network.name}_samples.npz"
    stored = np.load(samples)["tfl_int8_ref"]
    result = htvm.deploy(
        models / network.name / network.official, target="cpu", inputs=f"{samples}:input_int8"
    )
    (outputs,) = result.outputs.values()
    np.testing.assert_array_equal(outputs.reshape(stored.shape), stored)
    assert result.report.verification.verdict == "exact"


@pytest.mark.parametrize(
    ("name", "fraction"),
    [("resnet8", 1.0), ("dscnn", 1.0), ("sww", 0.97), ("ad", 0.5), ("vww", 0.3)],
)
def test_powers_of_two_run_on_diana_with_two_roundings(
    models: Path, name: str, fraction: float
) -> None:
    """Half to even is none of the core's arithmetic: what main memory has room for is doubled."""
    path = models / name / f"{name}_ptq_po2_qdq.onnx"
    report = htvm.deploy(path, target="diana", random=1).report
    assert report.verification.verdict == report.numerics == "exact"
    assert report.totals.macs_offloaded_fraction >= fraction
    for layer in report.layers:
        if layer.macs and layer.engine == "digital":
            assert any("up and down" in text for text in layer.rewrites)
        elif layer.macs:
            (other,) = (other for other in layer.alternatives if other.engine == "digital")
            assert "no room for" in (other.reason or "") or "kernel is" in (other.reason or "")


@pytest.mark.parametrize("target", ["cpu", "diana"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_every_form_is_exact_on_every_target(
    models: Path, network: Network, form: str, target: str
) -> None:
    path = models / network.name / f"{network.name}_{form}.onnx"
    result = htvm.deploy(path, target=target, random=2)
    assert result.report.verification.verdict == "exact"
    for layer in result.report.layers:
        assert layer.reason


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_official_networks_are_exact_on_diana(models: Path, network: Network) -> None:
    path = models / network.name / network.official
    result = htvm.deploy(path, target="diana", random=2)
    assert result.report.verification.verdict == "exact"
    convolutions = [layer for layer in result.report.layers if layer.macs]
    assert convolutions
    for layer in convolutions:
        refused = [other for other in layer.alternatives if other.engine == "digital"]
        assert layer.engine == "digital" or any(other.reason for other in refused)
