"""The C project: compiles everywhere, says what it is, is the same every time."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from networks import Builder
from stages import build

from htvm.codegen.functions import _quoted
from htvm.codegen.interface import Port
from htvm.codegen.text import comment_lines, not_finite
from htvm.ir.dtype import DType
from htvm.ir.tensor import Quantization, Tensor
from htvm.partition.names import shortened

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
            flags = [*STRICT, *(f"-I{name}" for name in project.device_folders), *hooks]
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


def test_run_function_names_the_arena():
    net = Builder()
    x = net.input("x", (1, 3, 4, 4))
    code = build(net.graph(net.conv(net.conv(x, 8, "a"), 8, "b"))).project.files["src/tiny.c"]
    assert re.search(r"at_a = \d+, +/\* 128 bytes, steps \d to \d \*/", code)
    body = code[code.index("int tiny_run") :]
    assert "memory + at_a" in body
    assert not re.search(r"memory \+ \d", body)


def test_what_a_function_does_stands_above_it():
    net = Builder()
    x = net.input("x", (1, 3, 4, 4))
    code = build(net.graph(net.conv(x, 8, "a"))).project.files["src/tiny.c"]
    assert re.search(r": int8 1x3x4x4 to int8 1x8x4x4\n( \*.*\n)* \* Used by: a \*/", code)


@pytest.mark.parametrize(
    ("zero_point", "formula", "literal"),
    [(0, "0.5 * element", "0"), (3, "0.5 * (element - 3)", "3"), (-3, "(element + 3)", "(-3)")],
)
def test_header_tells_what_an_integer_means(zero_point, formula, literal):
    tensor = Tensor(
        name="x",
        shape=(1, 4),
        dtype=DType.INT8,
        quantization=Quantization(scale=(0.5,), zero_point=zero_point),
    )
    port = Port(role="input", name="input", tensor=tensor)
    assert port.lines[-1].endswith(formula)
    assert port.zero_point == literal


def test_comments_break_between_words():
    assert comment_lines(["a b", "", "c" * 9, "d e*/"], width=4) == ("a b", "c" * 9, "d e*", "/")


@pytest.mark.parametrize("longest", [8, 9, 40])
def test_long_names_lose_their_middle(longest):
    name = "model/conv2d;model/batch_normalization;model/conv2d_1/Conv2D"
    short = shortened(name, longest)
    assert len(short) == longest
    assert name.startswith(short.split("..")[0])
    assert name.endswith(short.split("..")[1])
    assert shortened(short, longest) == short


def test_headers_of_the_system_stand_in_angle_brackets():
    assert [_quoted(name) for name in ("string.h", "<a.h>", "acme.h", '"math.h"')] == [
        "<string.h>",
        "<a.h>",
        '"acme.h"',
        '"math.h"',
    ]


@pytest.mark.parametrize(
    ("value", "needed"), [(1.5, False), (float("inf"), True), (float("nan"), True)]
)
def test_only_what_is_not_finite_needs_math(value, needed):
    assert not_finite(np.array([0, value], np.float32)) == needed
    assert not not_finite(np.array([1, 2], np.int8))


def made(folder: Path, *arguments: str, fails: bool = False) -> str:
    """What ``make`` prints."""
    done = subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done.stdout


def compiled(output: str) -> set[str]:
    """Sources whose compilation a ``make`` printed."""
    return set(re.findall(r" -c (\S+)", output))


@pytest.fixture
def folder(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    return written(build(nasty()).project, tmp_path)


def test_golden_test_runs_with_the_emulation(folder):
    assert made(folder, "-s", "-j2", "test") == "PASS tiny\n"
    golden = folder / "test/golden.h"
    text = golden.read_text()
    start = text.index("{", text.index("golden_output0")) + 1
    first = re.search(r"-?\d+", text[start:]).group()
    golden.write_text(text[:start] + text[start:].replace(first, str(int(first) ^ 1), 1))
    assert "FAIL output0" in made(folder, "-s", "test", fails=True)


def test_golden_test_tells_of_a_broken_rule(folder):
    source = folder / "src/tiny.c"
    source.write_text(re.sub(r"acme_wait\(.*\);", "", source.read_text()))
    assert "FAIL a rule of the emulated hardware: " in made(folder, "-s", "test", fails=True)


def test_make_builds_what_changed(folder):
    network = {"src/tiny.c", "src/tiny_weights.c"}
    assert compiled(made(folder, "host")) == {*network, "emulation/acme_emulator.c"}
    assert not compiled(made(folder, "host"))
    header = folder / "src/tiny_weights.h"
    header.write_text(header.read_text())
    assert compiled(made(folder, "host")) == network
    assert network < compiled(made(folder, "host", "HOSTCFLAGS=-O1"))
    assert not compiled(made(folder, "host", "HOSTCFLAGS=-O1", "CFLAGS=-O0"))
    made(folder, "clean")
    assert not (folder / "build").exists()


def test_make_builds_for_the_chip(folder):
    if shutil.which(COMPILERS["rv32imc"][0]) is None:
        pytest.skip("no RISC-V compiler on this machine")
    options = ["ARCH=-march=rv32imc -mabi=ilp32 --specs=picolibc.specs", "CFLAGS=-O1 -Werror"]
    for name in ("CROSS=riscv64-unknown-elf-", "CC=riscv64-unknown-elf-gcc"):
        said = made(folder, name, *options)
        assert "emulation" not in said
        assert said.count("riscv64-unknown-elf-ar") == 1
        assert made(folder, "-s", name, *options, "test") == "PASS tiny\n"
        made(folder, "clean")
