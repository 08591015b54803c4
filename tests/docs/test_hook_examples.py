"""The examples of the hook reference: together they are a target, and it works."""

from __future__ import annotations

from pathlib import Path

import pytest

import htvm
from htvm.deploying import Result
from htvm.plugins.session import open_session
from reference.hooks import EXAMPLES, example, hooks

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return htvm.deploy(
        DIGITS / "digits.onnx",
        target=str(EXAMPLES),
        output=tmp_path_factory.mktemp("mini") / "out",
        settings={"engine.rows.probe": "pin7"},
    )


def test_every_hook_has_an_example_of_its_own() -> None:
    modules = {path.stem for path in EXAMPLES.glob("htvm_*.py")}

    assert modules == set(hooks())
    assert all(example(name).count("@hookimpl") == 1 for name in modules)
    assert all(f"    def {name}(" in example(name) for name in modules)


def test_the_examples_run_a_network_bit_exactly(deployed: Result) -> None:
    engines = {layer.name: layer.engine for layer in deployed.report.layers}

    assert deployed.report.verification.verdict == "exact"
    assert engines["classify_sum"] == "rows"


def test_the_cost_example_agrees_with_the_emulation(deployed: Result) -> None:
    (layer,) = [layer for layer in deployed.report.layers if layer.engine == "rows"]

    assert layer.cycles_emulated == layer.cycles.total


def test_the_conversion_example_prints_its_copy(deployed: Result) -> None:
    assert deployed.output is not None
    sources = "".join(path.read_text() for path in deployed.output.glob("src/*.c"))

    assert "memcpy(out, in0, 10);" in sources


def test_the_doctor_example_looks_for_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (check,) = open_session(str(EXAMPLES)).checks()

    assert not check.ok
    assert check.hint == "apt install gcc-riscv64-unknown-elf"
