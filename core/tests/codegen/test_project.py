"""The C project: compiles everywhere, says what it is, is the same every time."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from networks import Builder
from stages import build

NASTY = 'int"*/ x\n??/ \\ ../../é'
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-ffp-contract=off"]
COMPILERS = {
    "gcc": ["gcc"],
    "clang": ["clang"],
    "rv32imc": [
        "riscv64-unknown-elf-gcc",
        "--specs=picolibc.specs",
        "-march=rv32imc",
        "-mabi=ilp32",
    ],
}


def nasty(name: str = "tiny"):
    net = Builder()
    x = net.input(f"{NASTY} in", (1, 3, 4, 4))
    a = net.conv(x, 8, NASTY)
    b = net.conv(a, 8, NASTY + "!")
    return net.graph(net.clip(a, "while"), net.clip(b, "While"), name=name)


def written(project, folder: Path) -> Path:
    for path, text in project.files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", ["tiny", "int", "htvm", "acme"])
def test_compiles_without_a_warning(compiler, name, tmp_path):
    command = COMPILERS[compiler]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on this machine")
    project = build(nasty(name)).project
    folder = written(project, tmp_path)
    for source in (*project.sources, *project.device_sources, "test/main.c"):
        for hooks in ([], ["-DHTVM_HOOKS"]):
            flags = [*STRICT, *(f"-I{name}" for name in project.include_dirs), *hooks]
            done = subprocess.run(
                [*command, *flags, "-c", source, "-o", "x.o"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            assert not done.stderr


def test_names_are_identifiers_and_comments_are_closed():
    project = build(nasty()).project
    assert build(nasty()).verify().mismatches == 0
    for path, text in project.files.items():
        assert text.isascii(), path
        assert re.fullmatch(r"[A-Za-z0-9_./]+", path)
        assert ".." not in path
        if path.endswith((".c", ".h")):
            assert text.count("/*") == text.count("*/"), path
            assert "??/" not in text


def test_layers_that_agree_share_a_function():
    net = Builder()
    x = net.input("x", (1, 8, 4, 4))
    for name in ("a", "b", "c"):
        x = net.conv(x, 8, name)
    project = build(net.graph(x)).project
    code = project.files["src/tiny.c"]
    assert code.count("static void layer_a(") == 1
    assert "Used by: a, b, c" in code
    assert re.findall(r"tiny_(\w)_weights\)", code) == ["a", "b", "c"]


def test_equal_constants_appear_once():
    net = Builder()
    x = net.input("x", (1, 3, 4, 4))
    a = net.conv(x, 8, "a")
    net.random = Builder().random
    b = net.conv(x, 8, "b")
    text = build(net.graph(a, b)).project.files["src/tiny_weights.c"]
    assert text.count("tiny_a_weights[") == 1
    assert "tiny_b_weights" not in text


def test_same_every_time():
    first, second = build(nasty()).project, build(nasty()).project
    assert first.files == second.files


def test_header_tells_how_to_call():
    net = Builder()
    x = net.input("x", (1, 3, 4, 4))
    header = build(net.graph(net.conv(x, 8, "a"))).project.files["include/tiny.h"]
    for line in (
        "#define TINY_ALIGN 8",
        "#define TINY_INPUT_SHAPE { 1, 3, 4, 4 }",
        "#define TINY_OUTPUT_ELEMENTS 128",
        "    const int8_t *input,",
    ):
        assert line in header


def test_board_main_passes_with_the_emulation(tmp_path):
    built = build(nasty())
    project = built.project
    folder = written(project, tmp_path)
    (folder / "emulator.c").write_text(project.runtime.emulation["acme_emulator.c"])
    sources = [*project.sources, "test/main.c", "emulator.c"]
    flags = ["-std=c99", *(f"-I{name}" for name in project.include_dirs)]
    subprocess.run(["gcc", *flags, *sources, "-o", "board"], cwd=folder, check=True)
    done = subprocess.run(["./board"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "PASS tiny\n")
    golden = folder / "test/golden.h"
    golden.write_text(re.sub(r"(golden_output0.*\n +)", r"\g<1>99, ", golden.read_text()))
    golden.write_text(re.sub(r"(golden_output0\[)\d+", r"\g<1>", golden.read_text()))
    subprocess.run(["gcc", *flags, *sources, "-o", "board"], cwd=folder, check=True)
    done = subprocess.run(["./board"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("FAIL output0")
