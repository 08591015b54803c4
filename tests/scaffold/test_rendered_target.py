"""A rendered target as its author gets it: installed, checked, and deployed to."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from htvm.scaffold.names import names
from htvm.scaffold.render import Choices, render
from htvm.scaffold.write import write_package

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples" / "digits" / "digits.onnx"
CHOICES = {
    "acme": {},
    "two-cores": {"layout": "channel-blocks", "engines": 2},
    "planes": {"layout": "channels-first"},
}


def run(folder, *command, check=True):
    search = os.pathsep.join(filter(None, (str(folder / "site"), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": search, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=check,
    )


@pytest.fixture(scope="module", params=CHOICES)
def installed(request, tmp_path_factory):
    """A folder with a rendered package and, under ``site``, what pip made of it."""
    if not importlib.util.find_spec("hatchling") or not importlib.util.find_spec("pip"):
        pytest.skip("building a package without a network needs pip and hatchling")
    folder = tmp_path_factory.mktemp("rendered")
    choices = Choices(names=names(request.param), **CHOICES[request.param])
    write_package(render(choices), folder / "package")
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", "site")
    run(folder, "pip", "install", *options, "./package")
    return folder, choices


def deployed(installed, network, *options):
    folder, choices = installed
    target = choices.names.target
    command = ("deploy", str(network), "-t", target, "-o", "out", *options)
    done = run(folder, "htvm.cli.main", *command, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out" / "report.json").read_text())


def check_report(report):
    """Bit-exact, every product on an accelerator, and the cycles those the emulation counted."""
    assert report["verification"]["verdict"] == "exact"
    products = [layer for layer in report["layers"] if layer["op"] in {"conv2d", "dense"}]
    assert products
    for layer in products:
        assert layer["engine"].startswith("npu"), layer["name"]
        assert layer["cycles_emulated"] == layer["cycles"]["total"], layer["name"]
    return products


def test_it_deploys_the_digits_under_sanitizers(installed):
    products = check_report(deployed(installed, DIGITS, "--sanitize"))
    cut = [layer["cycles"] for layer in products if layer["tiles"] > 1]
    assert cut
    assert all(c["total"] < c["compute"] + c["transfer"] + c["overhead"] for c in cut)


def test_it_deploys_a_real_network_with_lopsided_padding(installed, models):
    check_report(deployed(installed, models / "resnet8" / "resnet8_diana_ql.onnx"))


def test_settings_reach_the_emulation(installed):
    settings = ("memory.spm.size_bytes=4096", "engine.cpu.dma_bytes_per_cycle=4")
    options = [word for text in settings for word in ("--set", text)]
    check_report(deployed(installed, DIGITS, *options))


@pytest.mark.parametrize("tool", [("ruff", "check"), ("ruff", "format", "--check")])
def test_it_is_clean(installed, tool):
    if not importlib.util.find_spec("ruff"):
        pytest.skip("ruff is not installed")
    folder, _ = installed
    done = run(folder, *tool, "--no-cache", "package", check=False)
    assert done.returncode == 0, done.stdout


def test_its_types_are_right(installed):
    if not importlib.util.find_spec("mypy"):
        pytest.skip("mypy is not installed")
    folder, choices = installed
    command = ("mypy", "--strict", "--cache-dir", str(folder / "mypy"), "-p")
    done = run(folder, *command, choices.names.package, check=False)
    assert done.returncode == 0, done.stdout
