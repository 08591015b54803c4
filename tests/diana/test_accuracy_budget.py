"""A layer that quantising would ruin stays in float32 on the host, the rest on the accelerator."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from htvm import deploy
from htvm.cli.main import run as htvm
from htvm.deployment import AccuracyBudget, CalibrationOptions
from htvm.errors import DoesNotFitError
from htvm.host.inputs import InputSpec
from htvm.report.page import render_html

WILD = "conv_b"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three convolutions, the second with one channel whose weights are a thousand times larger."""
    made = tmp_path_factory.mktemp("wild")
    random = np.random.default_rng(0)
    constants = {
        name: random.normal(0, 0.2, (8, inputs, 3, 3)).astype("f4")
        for name, inputs in (("wa", 4), ("wb", 8), ("wc", 8))
    }
    constants["wb"][0] *= 1000
    constants["lo"], constants["hi"] = np.float32(0), np.float32(6)
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "wa"], ["a"], "conv_a", **pads),
        helper.make_node("Relu", ["a"], ["ar"], "relu_a"),
        helper.make_node("Conv", ["ar", "wb"], ["b"], WILD, **pads),
        helper.make_node("Clip", ["b", "lo", "hi"], ["br"], "clip_b"),
        helper.make_node("Conv", ["br", "wc"], ["y"], "conv_c", **pads),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4, 16, 16))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 8, 16, 16))
    initial = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "wild", [x], [y], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, made / "wild.onnx")
    np.savez(made / "calib.npz", x=random.normal(0, 1, (24, 4, 16, 16)).astype("f4"))
    return made


def engines(report) -> dict[str, str]:
    return {layer.name: layer.engine for layer in report.layers if layer.macs}


@pytest.fixture(scope="module")
def report(folder):
    options = CalibrationOptions(
        data=InputSpec(path=str(folder / "calib.npz")), budget=AccuracyBudget(min_sqnr_db=14)
    )
    return deploy(folder / "wild.onnx", target="diana", random=1, calibration=options).report


def test_only_the_layer_that_harms_leaves_the_accelerator(report) -> None:
    assert engines(report) == {"conv_a": "digital", WILD: "cpu", "conv_c": "digital"}
    assert report.verification.verdict == "exact"


def test_the_report_says_which_and_why(report) -> None:
    budget = report.budget
    assert [step.layer for step in budget.exemptions] == [WILD]
    assert budget.quantised.sqnr_db < 14 <= budget.exemptions[0].after.sqnr_db
    (layer,) = [layer for layer in report.layers if layer.name == WILD]
    assert "accuracy budget" in layer.reason
    assert layer.numerics == "exact"
    page = render_html(report)
    assert "Accuracy budget" in page
    assert "at least 14 dB at the output, measured on 24 samples of calib.npz: kept" in page


def test_a_quantised_file_is_deployed_with_what_it_says(folder, report, capsys) -> None:
    written = folder / "q.onnx"
    quantise = ["quantize", str(folder / "wild.onnx"), "-t", "diana", "-o", str(written)]
    assert htvm([*quantise, "--calib", str(folder / "calib.npz"), "--min-sqnr", "14"]) == 0
    project = ["-o", str(folder / "project"), "--random", "1", "--json"]
    capsys.readouterr()
    assert htvm(["deploy", str(written), "-t", "diana", *project]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["budget"] == report.budget.model_dump()
    assert f"1. {WILD}: alone" in shown.err


def test_with_nothing_quantised_the_host_computes_the_source(folder) -> None:
    options = CalibrationOptions(
        data=InputSpec(path=str(folder / "calib.npz")), budget=AccuracyBudget(min_sqnr_db=900)
    )
    report = deploy(folder / "wild.onnx", target="diana", random=1, calibration=options).report
    assert set(engines(report).values()) == {"cpu"}
    assert report.verification.verdict == "exact"
    assert not report.budget.is_kept


def test_when_memory_ends_it_tells_what_layers_in_float_have_to_do_with_it(folder) -> None:
    options = CalibrationOptions(
        data=InputSpec(path=str(folder / "calib.npz")), budget=AccuracyBudget(min_sqnr_db=900)
    )
    small = {"memory.l2.size_bytes": "12288"}
    with pytest.raises(DoesNotFitError) as caught:
        deploy(folder / "wild.onnx", target="diana", settings=small, calibration=options)
    assert "3 layers in float32" in caught.value.hint


def test_what_a_file_says_of_a_budget_is_not_trusted(folder) -> None:
    model = onnx.load(folder / "wild.onnx")
    helper.set_model_props(model, {"accuracy_budget": '{"exemptions": 3}'})
    onnx.save(model, folder / "odd.onnx")
    assert deploy(folder / "odd.onnx", target="cpu", random=1).report.budget is None
