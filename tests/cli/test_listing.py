"""What ``inspect``, ``explain`` and ``doctor`` show, and what is suggested for a typing error."""

from __future__ import annotations

import subprocess
import sys

import pytest
from shell import DIGITS

from htvm.cli.placement import reasons
from htvm.report.model import Alternative, Layer
from htvm.suggest import choices, closest, did_you_mean

LATE = """
import sys

class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == "htvm.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
from htvm.cli.entry import main
main()
"""


def test_inspect_adds_up(htvm):
    document = htvm("inspect", DIGITS, "--json").document
    assert document["macs"] == sum(node["macs"] for node in document["nodes"]) > 0
    assert document["weight_bytes"] == sum(node["weight_bytes"] for node in document["nodes"]) > 0
    text = htvm("inspect", DIGITS).out
    total = text.splitlines()[-1].split()
    assert total[:2] == ["total", f"{document['macs']:,}"]
    assert "requant (shift)" in text


@pytest.mark.parametrize("columns", [80, 120])
def test_inspect_fits_the_terminal(htvm, save, digits, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    digits.graph.node[0].name = "a/very/long/name" * 20
    lines = htvm("inspect", save(digits)).out.splitlines()
    assert max(map(len, lines)) <= columns
    assert sum("a/very" in line and ".." in line for line in lines) == 1


def test_explain_adds_up_and_tells_each_reason_once(htvm):
    text = htvm("explain", DIGITS, "-t", "diana").out
    rows = htvm("explain", DIGITS, "-t", "diana", "--json").document["layers"]
    assert f"{sum(row['cycles']['total'] for row in rows):,}" in text
    assert "on digital, 1 layer on cpu, 2 conversions: " in text
    assert text.count("only cpu has a pattern for it") == 1
    assert f"htvm explain {DIGITS} LAYER -t diana" in text


def test_explain_groups_what_keeps_layers_on_the_host(htvm):
    rows = htvm("explain", DIGITS, "-t", "diana", "--json").document["layers"]
    host = Layer.model_validate(next(row for row in rows if row["engine"] == "digital"))

    def layer(name: str, *refusals: str) -> Layer:
        others = [Alternative(engine="digital", pattern="conv2d", reason=text) for text in refusals]
        changes = {"name": name, "engine": "cpu", "alternatives": others}
        return host.model_copy(update=changes)

    found = reasons(
        [layer("a", "k: 1"), layer("b", "odd: 3", "odd: 5"), layer("c", "odd: 7"), layer("d")]
    )
    assert found == {
        "not on digital: odd": ["b", "c"],
        "not on digital: k": ["a"],
        "only cpu has a pattern for it": ["d"],
    }
    assert reasons([layer("d")]) == {}


def test_unknown_layer(htvm):
    outcome = htvm("explain", DIGITS, "STEMM", "-t", "cpu")
    outcome.refuses(2, "E133", "'STEMM'", "did you mean 'stem'?")
    assert htvm("explain", DIGITS, "stem", "-t", "cpu").code == 0


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("deplyo", "x"), "'deploy'"),
        (("target", "tset"), "'test'"),
        (("deploy", DIGITS, "--tagret", "cpu"), "'--target'"),
    ],
)
def test_typing_errors(htvm, arguments, meant):
    htvm(*arguments).refuses(2, "E100", f"did you mean {meant}?", "--help")


def test_pin_of_an_unknown_layer_names_few(htvm):
    outcome = htvm("explain", DIGITS, "-t", "diana", "--pin", "sten=cpu")
    outcome.refuses(2, "E143", "did you mean 'stem'?", " more")
    accepted = next(line for line in outcome.err.splitlines() if "accepted" in line)
    assert len(accepted) < 80


def test_suggestions():
    names = ["conv_1", "conv_2", "Pool", "a.conv_1.b"]
    assert closest("CONV_1", names)[0] == "conv_1"
    assert "a.conv_1.b" in closest("conv_1", names)
    assert did_you_mean("pol", names) == "did you mean 'Pool'?"
    assert did_you_mean("", names) == did_you_mean("zzz", names) == ""
    assert choices("zzz", names) == "conv_1, conv_2, Pool, a.conv_1.b"
    assert choices("zzz", map(str, range(20))) == "0, 1, 2, 3 and 16 more"


def test_code_comes_with_a_remedy(htvm):
    assert "What to do: " in htvm("explain", "HTVM-E301").out
    assert htvm("explain", "e301", "--json").document["remedy"]


def test_doctor_tells_what_an_optional_package_is_good_for(htvm, monkeypatch):
    from importlib.metadata import PackageNotFoundError

    from htvm.cli.commands import doctor

    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", absent)
    outcome = htvm("doctor")
    assert outcome.code == 0
    assert "reads folders of images to calibrate with: pip install pillow" in outcome.out
    assert htvm("doctor", "--json").document["extras"]["onnxruntime"] is None


def test_doctor_says_what_it_comes_to(htvm, monkeypatch):
    assert "all is well" in htvm("doctor").out.splitlines()[-1]
    monkeypatch.setenv("HTVM_CC", "/nowhere/cc")
    outcome = htvm("doctor")
    assert (outcome.code, outcome.out.splitlines()[-1][:14]) == (6, "   C compiler ")


def test_interrupt_while_loading():
    done = subprocess.run(
        [sys.executable, "-c", LATE], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (130, "error[HTVM-E002]: interrupted\n")


@pytest.mark.parametrize("group", [(), ("target",)])
def test_a_group_lists_its_commands_in_whole_lines(htvm, monkeypatch, group):
    monkeypatch.setenv("COLUMNS", "80")
    lines = htvm(*group).out.split("Commands:")[1].strip().splitlines()
    assert len(lines) >= 3
    for line in lines:
        assert line.endswith(".")
        assert "..." not in line
        assert htvm(*group, line.split()[0], "--help").code == 0
