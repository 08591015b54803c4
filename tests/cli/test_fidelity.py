"""How near a network is to its source, as the command line tells it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from shell import DIGITS

pytest.importorskip("onnxruntime")
SAMPLES = DIGITS.parent / "test.npz"
FLOAT = DIGITS.parent / "digits_float.onnx"


def document(outcome):
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)["fidelity"]


def test_a_network_against_its_own_runtime(htvm):
    outcome = htvm("verify", DIGITS, "-t", "cpu", "--inputs", SAMPLES, "--json")
    found = document(outcome)
    assert found["same_class"] == found["samples"] > 100
    assert found["same_network"] is True
    assert found["worst_layer"] is None
    assert all(layer["sqnr_db"] is None for layer in found["layers"])
    assert "same class as the source in 100.00%" in outcome.err


def test_without_samples_nothing_is_compared(htvm):
    outcome = htvm("verify", DIGITS, "-t", "cpu", "--json")
    assert document(outcome) is None
    assert "compare" not in outcome.err


def test_against_the_network_it_was_quantised_from(htvm, tmp_path):
    quantised = tmp_path / "q.onnx"
    calibration = ("--calib", SAMPLES, "--calib-samples", "24")
    done = htvm("quantize", FLOAT, "-t", "diana", *calibration, "-o", quantised)
    assert done.code == 0, done.err
    outcome = htvm(
        "verify", quantised, "-t", "cpu", "--inputs", SAMPLES, "--source", FLOAT, "--json"
    )
    found = document(outcome)
    assert found["source"] == FLOAT.name
    assert found["same_class"] > 0.9 * found["samples"]
    errors = {layer["layer"]: layer["sqnr_db"] for layer in found["layers"]}
    assert len(errors) >= 4
    assert all(ratio is not None and ratio > 10 for ratio in errors.values())
    assert found["worst_layer"] in errors
    assert "most is lost in" in outcome.err
    assert "chose its numbers from digits_float.onnx" in outcome.err


def test_the_report_says_whose_numbers_they_are(htvm, tmp_path):
    quantised, folder = tmp_path / "q.onnx", tmp_path / "out"
    calibration = ("--calib", SAMPLES, "--calib-samples", "12", "--format", "qdq")
    htvm("quantize", FLOAT, *calibration, "-o", quantised)
    options = ("--inputs", SAMPLES, "--source", FLOAT, "-o", folder)
    assert htvm("deploy", quantised, "-t", "cpu", *options).code == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["numerics"] == "calibrated"
    assert report["calibration"]["source"] == FLOAT.name
    assert {layer["numerics"] for layer in report["layers"]} >= {"calibrated"}
    page = (folder / "report.html").read_text()
    assert "calibrated: chosen anew from digits_float.onnx, with 12 samples" in page
    assert f"Most is lost in <b>{report['verification']['fidelity']['worst_layer']}</b>" in page


def test_a_source_that_is_another_network(htvm, tmp_path):
    np.savez(tmp_path / "s.npz", x=np.zeros((1, 1, 8, 8), np.int8))
    renamed = tmp_path / "other.onnx"
    import onnx

    model = onnx.load(FLOAT)
    old = model.graph.input[0].name
    model.graph.input[0].name = "other"
    for node in model.graph.node:
        node.input[:] = ["other" if name == old else name for name in node.input]
    onnx.save(model, renamed)
    outcome = htvm(
        "verify", DIGITS, "-t", "cpu", "--inputs", tmp_path / "s.npz", "--source", renamed
    )
    outcome.refuses(2, "E115", "other", "image")


@pytest.mark.parametrize(
    ("command", "options"),
    [("verify", ["--source", FLOAT]), ("deploy", ["--no-verify", "--source", FLOAT])],
)
def test_a_source_without_use(htvm, command, options):
    htvm(command, DIGITS, "-t", "cpu", *options).refuses(2, "E100", "--source")


def test_without_the_runtime_that_is_said(htvm, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    outcome = htvm("verify", DIGITS, "-t", "cpu", "--inputs", SAMPLES)
    assert outcome.code == 0
    assert "onnxruntime is not installed" in outcome.err
    assert "pip install onnxruntime" in outcome.err
    assert "accuracy" in outcome.err
