"""An accuracy budget: who is exempt, in which order, and when it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from quantize_nets import FloatNet, network, residual, samples

from htvm.cli.main import run as htvm
from htvm.deployment import AccuracyBudget
from htvm.frontend import integerise, read
from htvm.host.inputs import InputSpec
from htvm.numerics import execute
from htvm.quantization.api import Options, quantize_source
from htvm.quantization.budget import BUDGET_PROPERTY
from htvm.quantization.execute import output
from htvm.quantization.quality import mean_squared, sqnr_db
from htvm.quantization.scheme import Scheme

SCHEME = Scheme(engine="digital")


def with_one_wild_layer(folder):
    """A network one of whose layers has a channel with weights a thousand times the others'."""
    net = FloatNet(folder)
    first = net.op("Relu", net.conv("x", 3, 8))
    middle = net.conv(first, 8, 8)
    weights = net.random.normal(0, 0.2, (8, 8, 3, 3))
    weights[0] *= 1000
    net.nodes[-1].input[1] = net.const(weights)
    name = net.nodes[-1].name
    six = net.op("Clip", middle, net.const(np.float32(0)), net.const(np.float32(6)))
    flat = net.op("Flatten", net.op("GlobalAveragePool", net.conv(six, 8, 8)))
    return net.save(net.gemm(flat, 8, 5)), name


@pytest.fixture
def wild(tmp_path):
    path, layer = with_one_wild_layer(tmp_path)
    found = network(path)
    x = samples(40, 3)
    labels = output(found, {"x": x}).argmax(axis=1)
    np.savez(tmp_path / "calib.npz", x=x, labels=labels)
    return path, layer, InputSpec(path=str(tmp_path / "calib.npz"))


def quantised(path, spec, scheme=SCHEME, **budget):
    form = "integer" if scheme else "qdq"
    asked = AccuracyBudget(**budget)
    options = Options(calibration=spec, scheme=scheme, format=form, budget=asked)
    return quantize_source(read(path), options)


@pytest.mark.parametrize("scheme", [SCHEME, None])
def test_a_budget_of_nothing_ends_at_the_accuracy_of_the_source(wild, scheme) -> None:
    path, _, spec = wild
    spending = quantised(path, spec, scheme, max_drop=0.0).spending
    assert spending.source_correct == 40
    assert spending.last.correct == 40
    assert all(step.after.correct < 40 for step in spending.exemptions[:-1])


def test_the_layer_that_harms_most_goes_first_and_no_more_than_needed(wild) -> None:
    path, layer, spec = wild
    spending = quantised(path, spec, min_sqnr_db=25.0).spending
    assert spending.quantised.sqnr_db < 25
    assert [step.layer for step in spending.exemptions] == [layer]
    assert spending.is_kept


def test_what_keeps_within_the_budget_is_left_alone(wild) -> None:
    path, _, spec = wild
    spending = quantised(path, spec, max_drop=100.0).spending
    assert spending.is_kept
    assert spending.exemptions == ()


def test_a_budget_nobody_can_keep_leaves_nothing_quantised(wild) -> None:
    path, _, spec = wild
    made = quantised(path, spec, min_sqnr_db=900.0)
    assert not made.spending.is_kept
    assert made.input_scale == {}
    assert made.output_scale is None
    assert any("cannot be kept" in note for note in made.notes)
    assert "input x takes float32: only layers left real read it" in made.notes
    kinds = {node.op_type for node in made.model.graph.node}
    assert not kinds & {"QuantizeLinear", "Floor"}


def test_samples_of_their_own_judge(wild, tmp_path) -> None:
    path, _, spec = wild
    x = samples(24, 9)
    wrong = output(network(path), {"x": x}).argmin(axis=1)
    np.savez(tmp_path / "eval.npz", x=x, labels=wrong)
    own = InputSpec(path=str(tmp_path / "eval.npz"))
    spending = quantised(path, spec, max_drop=0.0, judged_on=own).spending
    assert (spending.samples, spending.source_correct) == (24, 0)
    assert spending.exemptions == ()


def test_the_file_tells_what_was_decided(wild) -> None:
    path, layer, spec = wild
    made = quantised(path, spec, min_sqnr_db=25.0)
    properties = {entry.key: entry.value for entry in made.model.metadata_props}
    told = json.loads(properties[BUDGET_PROPERTY])
    assert told["exemptions"][0]["layer"] == layer
    assert told["exemptions"][0]["after"]["sqnr_db"] == round(made.spending.last.sqnr_db, 3)
    assert told["is_kept"] is True


def command(tmp_path, *more):
    model = residual(FloatNet(tmp_path))
    np.savez(tmp_path / "plain.npz", x=samples(20, 0))
    calib = ["--calib", str(tmp_path / "plain.npz"), "-o", str(tmp_path / "q.onnx")]
    return htvm(["quantize", str(model), *calib, *more])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--max-drop", "1"], "E157"),
        (["--max-drop", "-1"], "E100"),
        (["--max-drop", "nan"], "E100"),
        (["--min-sqnr", "-3"], "E100"),
        (["--eval", "plain.npz"], "E100"),
    ],
)
def test_a_budget_that_means_nothing_is_refused(tmp_path, capsys, arguments, told) -> None:
    assert command(tmp_path, *arguments) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "q.onnx").exists()


@pytest.mark.parametrize(
    ("labels", "told"),
    [(np.arange(19) % 5, "E129"), (np.arange(20), "E158"), (-np.ones(20, int), "E158")],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, capsys, labels, told) -> None:
    np.savez(tmp_path / "eval.npz", x=samples(20, 0), labels=labels)
    assert command(tmp_path, "--max-drop", "1", "--eval", str(tmp_path / "eval.npz")) == 2
    assert told in capsys.readouterr().err


def test_the_command_tells_the_layers_in_order(wild, tmp_path, capsys) -> None:
    path, _, spec = wild
    written = tmp_path / "q.onnx"
    arguments = ["quantize", str(path), "--calib", spec.path, "-o", str(written), "--json"]
    assert htvm([*arguments, "--min-sqnr", "44"]) == 0
    shown = capsys.readouterr()
    budget = json.loads(shown.out)["accuracy_budget"]
    assert budget["is_kept"]
    assert budget["quantised"]["sqnr_db"] < 44
    noise = [step["after"]["sqnr_db"] for step in budget["exemptions"]]
    assert all(step < 44 for step in noise[:-1])
    lines = [f"{step['layer']} real" for step in budget["exemptions"]]
    assert lines
    assert [line for line in lines if line in shown.err] == lines


def test_is_the_same_every_time(wild) -> None:
    path, _, spec = wild
    again = partial(quantised, path, spec, min_sqnr_db=25.0)
    assert again().data == again().data


def test_what_the_source_reaches_is_told_first(wild, capsys) -> None:
    path, _, spec = wild
    arguments = ["quantize", str(path), "--calib", spec.path, "--max-drop", "100"]
    assert htvm([*arguments, "-o", str(path.parent / "q.onnx")]) == 0
    told = capsys.readouterr().err
    assert told.index("the source: accuracy 100.00%") < told.index("every layer quantised")


def test_little_signal_to_noise_asks_whether_the_samples_are_right(wild) -> None:
    path, _, spec = wild
    coarse = replace(SCHEME, lo=-2, hi=1)
    few, enough = (quantised(path, spec, scheme, min_sqnr_db=0.0) for scheme in (coarse, SCHEME))
    assert few.sqnr_db < 15 < 20 < enough.sqnr_db
    assert any("is this what the network was trained on?" in note for note in few.notes)
    assert not any("trained on" in note for note in enough.notes)


@pytest.mark.parametrize("weights", [0.0, 2.0])
@pytest.mark.parametrize(("scheme", "form"), [(SCHEME, "integer"), (SCHEME, "qdq"), (None, "qdq")])
def test_float_weights_that_happen_to_be_whole_stay_float(tmp_path, weights, scheme, form) -> None:
    net = FloatNet(tmp_path, shape=(1, 20))
    path = net.save(
        net.op("Gemm", "x", net.const(np.full((20, 5), weights)), net.const(np.ones(5)))
    )
    x = np.random.default_rng(6).normal(0, 1, (14, 20)).astype("f4")
    np.savez(tmp_path / "calib.npz", x=x)
    spec, asked = InputSpec(path=str(tmp_path / "calib.npz")), AccuracyBudget(min_sqnr_db=900)
    options = Options(calibration=spec, scheme=scheme, format=form, budget=asked)
    written = tmp_path / "written.onnx"
    written.write_bytes(quantize_source(read(path), options).data)
    graph = integerise(read(written))
    made = execute(graph, {"x": x})[graph.outputs[0]]
    assert np.allclose(made, output(network(path), {"x": x}), atol=1e-4)


def test_what_qdq_is_said_to_lose_is_what_its_own_rounding_loses(tmp_path) -> None:
    net = FloatNet(tmp_path)
    x = net.op("Relu", net.conv("x", 3, 8))
    x = net.op("AveragePool", x, kernel_shape=[2, 1], strides=[2, 1])
    path = net.save(net.conv(net.op("AveragePool", x, kernel_shape=[1, 2]), 8, 4))
    x = samples(20, 5)
    np.savez(tmp_path / "calib.npz", x=x)
    spec = InputSpec(path=str(tmp_path / "calib.npz"))
    options = Options(calibration=spec, scheme=SCHEME, format="qdq", budget=None)
    made = quantize_source(read(path), options)
    assert any("halves to even" in note for note in made.notes)
    written = tmp_path / "qdq.onnx"
    written.write_bytes(made.data)
    graph = integerise(read(written))
    wanted = output(network(path), {"x": x})
    loss = mean_squared(execute(graph, {"x": x})[graph.outputs[0]], wanted)
    assert made.sqnr_db == pytest.approx(sqnr_db(wanted, loss), abs=0.5)
