"""``htvm quantize`` from end to end."""

from __future__ import annotations

import json

import numpy as np
from quantize_nets import FloatNet, residual, samples

from htvm.cli.main import run
from htvm.frontend import integerise, read


def test_without_a_target_it_writes_qdq(tmp_path, capsys) -> None:
    model = residual(FloatNet(tmp_path))
    np.savez(tmp_path / "calib.npz", x=samples(20, 0))
    written = tmp_path / "out" / "q.onnx"
    arguments = ["quantize", str(model), "--calib", str(tmp_path / "calib.npz"), "-o", str(written)]
    assert run([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["calibration_samples"]) == ("qdq", 20)
    assert integerise(read(written)).origin.format == "onnx-qdq"


def test_the_integer_form_takes_an_engine_that_shifts(tmp_path, capsys) -> None:
    model = residual(FloatNet(tmp_path))
    np.savez(tmp_path / "calib.npz", x=samples(20, 0))
    arguments = ["quantize", str(model), "--calib", str(tmp_path / "calib.npz")]
    assert run([*arguments, "-o", str(tmp_path / "q.onnx"), "--format", "integer"]) == 2
    assert "E156" in capsys.readouterr().err
    assert not (tmp_path / "q.onnx").exists()


def test_calibration_data_is_asked_for(tmp_path, capsys) -> None:
    assert run(["quantize", str(residual(FloatNet(tmp_path))), "-o", str(tmp_path / "q.onnx")]) == 2
    assert "--calib" in capsys.readouterr().err


def test_an_integer_network_is_not_quantised_again(tmp_path, capsys) -> None:
    net = FloatNet(tmp_path)
    whole = net.save(net.op("Floor", net.conv("x", 3, 4)))
    np.savez(tmp_path / "calib.npz", x=samples(20, 0))
    arguments = ["quantize", str(whole), "--calib", str(tmp_path / "calib.npz")]
    assert run([*arguments, "-o", str(tmp_path / "q.onnx")]) == 3
    told = capsys.readouterr().err
    assert "is an integer network already" in told
    assert "E200" in told


def test_a_seed_below_zero_is_a_usage_error(tmp_path, capsys) -> None:
    model = residual(FloatNet(tmp_path))
    np.savez(tmp_path / "calib.npz", x=samples(20, 0))
    arguments = ["quantize", str(model), "--calib", str(tmp_path / "calib.npz")]
    assert run([*arguments, "-o", str(tmp_path / "q.onnx"), "--calib-seed", "-1"]) == 2
    assert "--calib-seed" in capsys.readouterr().err
