"""``--json``: one document on stdout for every command, whether it succeeds or not."""

from __future__ import annotations

import json

import pytest
from shell import DIGITS

SUCCESSES = {
    "deploy": ("deploy", DIGITS, "-t", "diana", "-o", "out"),
    "unverified": ("deploy", DIGITS, "-t", "cpu", "-o", "out", "--no-verify"),
    "verify": ("verify", DIGITS, "-t", "cpu"),
    "explain": ("explain", DIGITS, "-t", "diana"),
    "layer": ("explain", DIGITS, "stem", "-t", "cpu"),
    "code": ("explain", "HTVM-E301"),
    "inspect": ("inspect", DIGITS),
    "targets": ("targets",),
    "doctor": ("doctor",),
}


def no_constants(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


@pytest.mark.parametrize("name", SUCCESSES)
def test_success(htvm, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    outcome = htvm(*SUCCESSES[name], "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out, parse_constant=no_constants)
    assert "error" not in document


FAILURES = (
    ((), 2, "E100"),
    (("bogus",), 2, "E100"),
    (("deploy",), 2, "E100"),
    (("deploy", DIGITS), 2, "E100"),
    (("deploy", DIGITS, "-t", "cpu", "--bogus"), 2, "E100"),
    (("deploy", "none.onnx", "-t", "cpu"), 2, "E101"),
    (("deploy", DIGITS, "-t", "none"), 2, "E140"),
    (("verify", DIGITS, "-t", "cpu", "--inputs", "none.npz"), 2, "E120"),
    (("verify", "none.onnx", "-t", "cpu"), 2, "E101"),
    (("explain", DIGITS), 2, "E132"),
    (("explain", DIGITS, "nolayer", "-t", "cpu"), 2, "E133"),
    (("explain", "E999"), 2, "E134"),
    (("explain", "e123x"), 2, "E132"),
    (("inspect", "none.onnx"), 2, "E101"),
    (("inspect",), 2, "E100"),
    (("targets", "surplus"), 2, "E100"),
    (("doctor", "surplus"), 2, "E100"),
)


@pytest.mark.parametrize(("arguments", "exit_code", "code"), FAILURES)
def test_failure(htvm, tmp_path, monkeypatch, arguments, exit_code, code):
    monkeypatch.chdir(tmp_path)
    outcome = htvm(*arguments, "--json")
    outcome.refuses(exit_code, code)
    error = outcome.document["error"]
    assert (error["code"], error["exit_code"]) == (f"HTVM-{code}", exit_code)
    assert set(outcome.document) == {"error"}
    assert set(error) == {"code", "message", "seen", "accepted", "hint", "exit_code"}
    assert list(tmp_path.iterdir()) == []


SETTINGS = (
    ("nonsense", 2, "E130"),
    ("=", 2, "E130"),
    ("key=", 2, "E130"),
    ("=value", 2, "E130"),
    ("no.such.key=1", 2, "E141"),
    ("clock=1", 2, "E141"),
    ("memory.l9.size_bytes=1", 2, "E141"),
    ("clock_hz=fast", 2, "E142"),
    ("clock_hz=0", 2, "E142"),
    ("clock_hz=-5", 2, "E142"),
    ("clock_hz=1e6", 2, "E142"),
    ("memory.l2.size_bytes=0", 2, "E142"),
    ("memory.l2.size_bytes=" + "9" * 5000, 2, "E142"),
    ("stack_bytes=-1", 2, "E142"),
    ("memory.l2.size_bytes=1", 4, "E301"),
    ("stack_bytes=10_000_000", 4, "E301"),
    ("memory.l2.align_bytes=3", 2, "E142"),
    ("memory.l2.align_bytes=1048576", 2, "E142"),
    ("engine.cpu.core=z80", 7, "E640"),
)


@pytest.mark.parametrize(("setting", "exit_code", "code"), SETTINGS)
def test_settings_that_make_no_sense(htvm, tmp_path, setting, exit_code, code):
    outcome = htvm("deploy", DIGITS, "-t", "diana", "-o", tmp_path / "o", "--set", setting)
    outcome.refuses(exit_code, code)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["0", "-1", "3", "99999999999"])
def test_every_hardware_number(htvm, value):
    """Any whole number anywhere is used or refused, and never a reason to crash."""
    from htvm.plugins.session import open_session
    from htvm.plugins.settings import setting_keys

    for key in setting_keys(open_session("diana").hardware):
        outcome = htvm("explain", DIGITS, "-t", "diana", "--set", f"{key}={value}")
        assert outcome.code in {0, 2, 4, 7}, (key, outcome.err)
        assert "E001" not in outcome.err, (key, outcome.err)


def test_huge_clock(htvm, tmp_path):
    clock = f"clock_hz={10**400}"
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", tmp_path / "o", "--set", clock)
    outcome.refuses(2, "E142", "clock_hz")


PINS = (
    ("nonsense", 2, "E130"),
    ("nolayer=cpu", 2, "E143"),
    ("stem=gpu", 2, "E144"),
    ("stem=", 2, "E130"),
    ("pool=digital", 3, "E250"),
)


@pytest.mark.parametrize(("pin", "exit_code", "code"), PINS)
def test_pins_that_make_no_sense(htvm, tmp_path, pin, exit_code, code):
    outcome = htvm("deploy", DIGITS, "-t", "diana", "-o", tmp_path / "o", "--pin", pin)
    outcome.refuses(exit_code, code, pin.split("=")[0])
    assert list(tmp_path.iterdir()) == []


def test_pin_that_holds(htvm):
    outcome = htvm("explain", DIGITS, "-t", "diana", "--pin", "stem=cpu", "--json")
    first, *others = outcome.document["layers"]
    assert (first["engine"], first["reason"]) == ("cpu", "put on cpu by --pin stem=cpu")
    assert not any("--pin" in layer["reason"] for layer in others)


def test_strict_names_the_layer_that_needs_the_host(htvm, tmp_path):
    outcome = htvm("deploy", DIGITS, "-t", "diana", "--strict", "-o", tmp_path / "o")
    outcome.refuses(3, "E250", "pool")
    assert list(tmp_path.iterdir()) == []


def test_strict_on_a_target_without_accelerators(htvm):
    outcome = htvm("explain", DIGITS, "-t", "cpu", "--strict")
    assert outcome.code in {0, 3}, outcome.err
    assert "E001" not in outcome.err


@pytest.mark.parametrize("arguments", [["--help"], ["deploy", "--help"], ["-h"], ["--version"]])
def test_help(htvm, arguments):
    outcome = htvm(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    assert "htvm" in outcome.out
