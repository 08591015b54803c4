"""Names made to break out of a comment, a path, a shell or an identifier."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest
from shell import DIGITS, compiles, tree

NASTY = (
    "quote \" and ' and `",
    "line\nbreak\r\n#error injected",
    "*/ int injected; /*",
    "../../../escape",
    "while",
    "größe-重み-🦙",
    "x" * 300,
    "same",
    "SAME",
    "trigraph ??/",
    "back\\slash \\",
    "%s %n {{ 7 * 7 }} {% raw %} $(touch x) ;`touch x`",
    "\x1b[31mred\x07",
    "</script><script>alert(1)</script>",
    " ",
    "CON",
    "__FILE__",
)


def renamed(model: onnx.ModelProto, *, alike: bool = False) -> onnx.ModelProto:
    """Every node and tensor called something nasty; tensors stay apart from each other."""
    names: dict[str, str] = {}

    def new(name: str) -> str:
        if name and name not in names:
            nasty = NASTY[len(names) % len(NASTY)]
            turn = len(names) // len(NASTY)
            names[name] = f"{nasty}{turn}" if turn else nasty
        return names.get(name, name)

    for at, node in enumerate(model.graph.node):
        node.name = "same" if alike else NASTY[at % len(NASTY)]
        node.input[:] = [new(name) for name in node.input]
        node.output[:] = [new(name) for name in node.output]
    for item in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        item.name = new(item.name)
    return model


@pytest.mark.parametrize("target", ["cpu", "diana"])
@pytest.mark.parametrize("alike", [False, True])
def test_nasty_names(htvm, digits, save, tmp_path, target, alike):
    path = save(renamed(digits, alike=alike))
    before = tree(tmp_path)
    out = tmp_path / "out"
    outcome = htvm("deploy", path, "-t", target, "-o", out, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.document["verification"]["verdict"] == "exact"
    after = {name: data for name, data in tree(tmp_path).items() if not name.startswith("out")}
    assert after == before
    for name, data in tree(out).items():
        assert name.isascii()
        if data and name.endswith((".c", ".h", "Makefile", ".txt")):
            assert data.isascii(), name
    assert "<script>alert" not in (out / "report.html").read_text(encoding="utf-8")
    compiles(out)
    sources = {name for layer in outcome.document["layers"] for name in layer["source_nodes"]}
    known = [name for name in NASTY if any(source.startswith(name) for source in sources)]
    assert alike or len(known) > 9


@pytest.mark.parametrize("target", ["cpu", "diana"])
def test_nasty_names_on_the_screen(htvm, digits, save, target):
    path = save(renamed(digits))
    for verb in ("explain", "inspect"):
        outcome = htvm(verb, path, *(("-t", target) if verb == "explain" else ()))
        assert outcome.code == 0, outcome.err
        assert "\x1b" not in outcome.out
        assert "\x07" not in outcome.out


def test_labels_and_layers_found_by_their_nasty_names(htvm, digits, save):
    path = save(renamed(digits))
    layers = htvm("explain", path, "-t", "cpu", "--json").document["layers"]
    for layer in layers:
        for name in layer["source_nodes"]:
            found = htvm("explain", path, name, "-t", "cpu")
            assert found.code == 0 or name.startswith("-"), found.err
    htvm("explain", path, "\x1b[2J", "-t", "cpu").refuses(2, "E133", "\\x1b[2J")


STEMS = (
    "int",
    "main",
    "test",
    "all",
    "clean",
    "math",
    "string",
    "stdint",
    "stddef",
    "stdio",
    "htvm",
    "golden",
    "m",
    "c",
    "7",
    "---",
    "a b",
    "größe",
    "Digits",
    "$HOME",
    "#",
    "x" * 240,
    "'\"",
    "[red]",
)


@pytest.mark.parametrize("stem", STEMS)
def test_file_names(htvm, tmp_path, stem):
    path = tmp_path / f"{stem}.onnx"
    shutil.copy(DIGITS, path)
    out = tmp_path / "out"
    outcome = htvm("deploy", path, "-t", "cpu", "-o", out, "--random", 1)
    assert outcome.code == 0, outcome.err
    compiles(out)


def test_file_name_that_is_no_utf8(process, tmp_path):
    path = tmp_path / "n\udcff.onnx"
    shutil.copy(DIGITS, path)
    outcome = process("deploy", path, "-t", "cpu", "-o", tmp_path / "o\udcff", "--json")
    assert outcome.code == 0, outcome.err
    json.loads(outcome.out)
    (out,) = (found for found in tmp_path.iterdir() if found.is_dir())
    compiles(out)


@pytest.mark.parametrize("name", ["with space", "größe", "-dash", "a'b\"c", "[bold]", "a\nb"])
def test_output_names(htvm, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "--output", f"./{name}", "--no-verify")
    assert outcome.code == 0, outcome.err
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_default_output_has_the_names_of_both(htvm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert htvm("deploy", DIGITS, "-t", "cpu", "--no-verify").code == 0
    assert (tmp_path / "build" / "digits-cpu" / "report.json").exists()


def test_io_tensor_names_in_samples(htvm, digits, save, tmp_path):
    path = save(renamed(digits))
    inspected = htvm("inspect", path, "--json").document["inputs"][0]["name"]
    np.savez(tmp_path / "s.npz", **{inspected: np.zeros((2, 1, 8, 8), np.int8)})
    outcome = htvm("verify", path, "-t", "cpu", "--inputs", tmp_path / "s.npz")
    assert outcome.code == 0, outcome.err
