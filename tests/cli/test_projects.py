"""What the user takes away: the same every time, and C that any compiler takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from shell import DIGITS, WARNINGS, compiles, tree

TARGETS = ("cpu", "diana")
RV32 = ("-march=rv32imc", "-mabi=ilp32", "--specs=picolibc.specs")
RV32_GCC = "riscv64-unknown-elf-gcc"


@pytest.fixture(scope="module", params=TARGETS)
def project(request, tmp_path_factory):
    """A deployed project, to be read and built."""
    from htvm.deploying import deploy

    folder = tmp_path_factory.mktemp("project") / request.param
    deploy(DIGITS, target=request.param, output=folder, verify=False)
    return folder


@pytest.mark.parametrize("target", TARGETS)
def test_same_every_time(process, tmp_path, target):
    made = []
    for number, seed in (("1", "0"), ("2", "12345")):
        cwd = tmp_path / f"at {number}"
        (cwd / "models").mkdir(parents=True)
        model = Path(shutil.copy(DIGITS, cwd / "models"))
        shutil.copy(DIGITS.with_name("test.npz"), cwd / "models")
        env = {
            "PYTHONHASHSEED": seed,
            "HTVM_CACHE": str(tmp_path / f"cache {number}"),
            "LC_ALL": ("C", "C.UTF-8")[int(number) - 1],
            "TZ": ("UTC", "Asia/Tokyo")[int(number) - 1],
            "COLUMNS": f"{40 * int(number)}",
        }
        path = Path("models", "digits.onnx") if number == "1" else model
        options = ["--inputs", path.with_name("test.npz"), "--random", 1]
        outcome = process("deploy", path, "-t", target, "-o", "out", *options, cwd=cwd, env=env)
        assert outcome.code == 0, outcome.err
        made.append(tree(cwd / "out"))
    assert made[0] == made[1]
    text = b"".join(data for data in made[0].values() if data).decode()
    assert str(tmp_path) not in text
    assert "seconds" not in made[0]["report.json"].decode()


def test_manifest_lists_every_file(project):
    manifest = json.loads((project / "manifest.json").read_text())
    files = {name for name, data in tree(project).items() if data is not None}
    assert {"manifest.json", *manifest["files"]} == files


def test_files_are_plain_text(project):
    for name, data in tree(project).items():
        if data is not None:
            assert data.endswith(b"\n"), name
            assert b"\r" not in data, name
            assert b"\t" not in data or name == "Makefile", name
            assert not re.search(rb"[ \t]\n", data), name


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("options", [(), ("-O2", "-DHTVM_HOOKS")], ids=["plain", "hooks"])
def test_host_compilers_warn_of_nothing(project, compiler, options):
    compiles(project, compiler, *options)


def test_header_is_fit_for_cpp(project):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    done = subprocess.run(
        ["g++", "-std=c++11", "-Wall", "-Werror", "-fsyntax-only", "-x", "c++", "-"],
        input=f'#include "{project}/include/digits.h"\n',
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("options", [(), ("-O2", "-DHTVM_HOOKS")], ids=["plain", "hooks"])
def test_rv32_compiler_warns_of_nothing(project, options):
    compiles(project, RV32_GCC, *RV32, *options)


def test_rv32_library_needs_no_more_than_string_and_math(project, tmp_path):
    if shutil.which(RV32_GCC) is None:
        pytest.skip(f"{RV32_GCC} is not installed")
    sources = [str(path) for path in sorted((project / "src").glob("*.c"))]
    includes = [f"-I{project / name}" for name in ("include", "src", "device")]
    command = [RV32_GCC, *WARNINGS, *RV32, "-O2", "-c", *includes, *sources]
    subprocess.run(command, cwd=tmp_path, check=True)
    symbols = subprocess.run(
        ["riscv64-unknown-elf-nm", *tmp_path.glob("*.o")],
        capture_output=True,
        text=True,
        check=True,
    )
    found = [line.split()[-2:] for line in symbols.stdout.splitlines() if len(line.split()) > 1]
    defined = {name for kind, name in found if kind != "U"}
    needed = {name for kind, name in found if kind == "U"} - defined
    from_elsewhere = {name for name in needed if not name.startswith(("htvm_diana_", "__"))}
    assert from_elsewhere <= {"memcpy", "memset", "memmove", "memcmp"}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("arguments", [(), ("HOSTCC=clang", "HOSTCFLAGS=-O1 -Werror")])
def test_make(htvm, tmp_path, target, arguments):
    if shutil.which("make") is None or (arguments and shutil.which("clang") is None):
        pytest.skip("make or clang is not installed")
    out = tmp_path / "a b" if not arguments else tmp_path / "out"
    assert htvm("deploy", DIGITS, "-t", target, "-o", out, "--no-verify").code == 0
    done = subprocess.run(
        ["make", "-s", "-j2", "test", *arguments],
        cwd=out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "PASS digits\n"
    assert done.stderr == ""
    assert htvm("deploy", DIGITS, "-t", target, "-o", out, "--no-verify").code == 0


@pytest.mark.parametrize("name", ["digits", "test"])
@pytest.mark.parametrize("target", TARGETS)
def test_cmake(htvm, tmp_path, target, name):
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    model = shutil.copy(DIGITS, tmp_path / f"{name}.onnx")
    out = tmp_path / "out"
    assert htvm("deploy", model, "-t", target, "-o", out, "--no-verify").code == 0
    net = {"digits": "digits", "test": "test_net"}[name]
    for command in (
        ["cmake", "-S", out, "-B", out / "build", f"-D{net.upper()}_TEST=ON"],
        ["cmake", "--build", out / "build"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        assert "warning" not in (done.stdout + done.stderr).lower()
    done = subprocess.run(
        [out / "build" / f"{net}_test"], capture_output=True, text=True, check=False
    )
    assert done.stdout == f"PASS {net}\n"
