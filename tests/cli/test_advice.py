"""What the command line advises when a network's rounding keeps it off the accelerator."""

from __future__ import annotations

from shell import DIGITS

SAMPLES = DIGITS.parent / "test.npz"
FLOAT = DIGITS.parent / "digits_float.onnx"
ADVICE = "--numerics calibrated --calib SAMPLES"


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_network_made_for_another_runtime_may_be_quantised_anew(htvm, tmp_path):
    quantised = tmp_path / "q.onnx"
    calibration = ("--calib", SAMPLES, "--calib-samples", "12")
    assert htvm("quantize", FLOAT, *calibration, "-o", quantised).code == 0
    told = flat(htvm("explain", quantised, "-t", "diana").out)
    assert "7 layers are kept off digital by how this network rounds" in told
    assert ADVICE in told
    deployed = htvm("deploy", quantised, "-t", "diana", "--no-verify", "-o", tmp_path / "project")
    assert ADVICE in flat(deployed.err)
    assert ADVICE not in htvm("explain", quantised, "-t", "cpu").out


def test_a_network_quantised_for_the_target_needs_no_advice(htvm):
    assert ADVICE not in flat(htvm("explain", DIGITS, "-t", "diana").out)


def test_a_float_network_is_refused_with_the_command_that_helps(htvm):
    outcome = htvm("deploy", FLOAT, "-t", "diana")
    outcome.refuses(3, "E201", "htvm quantize", "--numerics calibrated")
