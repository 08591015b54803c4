"""Machines that lack something: a compiler, a home, a cache, a reader, a character set."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from shell import DIGITS, command, environment, tree

from htvm.tvm.pins import PINS


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """No compiler on the path."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for variable in ("CC", "HTVM_CC"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "bin"


def script(path: Path, text: str) -> Path:
    """A program for the shell."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_deploy_without_a_compiler(htvm, bare, tmp_path):
    out = tmp_path / "out"
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", out, "--json")
    assert outcome.code == 0, outcome.err
    assert "note: not verified: no C compiler found; sudo apt-get install gcc" in outcome.err
    check = outcome.document["verification"]
    assert check["verdict"] == "not run"
    assert "no C compiler" in check["reason"]
    assert (out / "report.json").exists()


def test_verify_without_a_compiler(htvm, bare):
    htvm("verify", DIGITS, "-t", "cpu").refuses(6, "E501", "apt-get install gcc")


def test_doctor_without_a_compiler(htvm, bare):
    outcome = htvm("doctor")
    assert outcome.code == 6
    assert "apt-get install gcc" in outcome.out


@pytest.mark.parametrize("text", ["no-such-cc", "false", 'gcc "', "/", "'"])
@pytest.mark.parametrize("variable", ["CC", "HTVM_CC"])
def test_compiler_that_is_none(htvm, monkeypatch, tmp_path, variable, text):
    monkeypatch.setenv(variable, text)
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", tmp_path / "out")
    outcome.refuses(6, "E502", f"${variable}", text)
    assert not (tmp_path / "out").exists()


def test_compiler_that_fails(htvm, monkeypatch, tmp_path):
    lazy = script(tmp_path / "lazy", '[ "$1" = --version ] && exit 0; echo "error: no" >&2; exit 3')
    monkeypatch.setenv("HTVM_CC", str(lazy))
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", tmp_path / "out")
    outcome.refuses(6, "E503", "error: no")
    assert not (tmp_path / "out").exists()


def test_compiler_that_makes_rubbish(htvm, monkeypatch, tmp_path):
    rubbish = 'for last; do :; done; [ "$1" = --version ] && exit 0'
    rubbish += '\nwhile [ "$1" != -o ]; do shift; done; echo rubbish > "$2"'
    monkeypatch.setenv("HTVM_CC", str(script(tmp_path / "cc", rubbish)))
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", tmp_path / "out")
    outcome.refuses(6, "E505")


def test_compiler_that_speaks_no_utf8(htvm, monkeypatch, tmp_path):
    text = "printf 'error: \\377\\376\\n' >&2; [ \"$1\" = --version ] || exit 1"
    monkeypatch.setenv("HTVM_CC", str(script(tmp_path / "cc", text)))
    outcome = htvm("verify", DIGITS, "-t", "cpu")
    outcome.refuses(6, "E503", "error: ")


def test_cache_that_is_a_file(htvm, monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("mine")
    monkeypatch.setenv("HTVM_CACHE", str(tmp_path / "cache"))
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", tmp_path / "out")
    outcome.refuses(6, "E504", "HTVM_CACHE", str(tmp_path / "cache"))
    assert tree(tmp_path) == {"cache": b"mine"}


def test_cache_named_from_here(htvm, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HTVM_CACHE", "my cache")
    assert htvm("verify", DIGITS, "-t", "cpu").code == 0
    assert htvm("verify", DIGITS, "-t", "cpu").code == 0
    assert [found.name for found in tmp_path.iterdir()] == ["my cache"]


@pytest.mark.parametrize(
    ("suffix", "content"),
    [(".so", b""), (".so", b"rubbish"), (".o", b"rubbish"), (".o", None), (".sha256", b"")],
)
def test_spoilt_cache(htvm, monkeypatch, tmp_path, suffix, content):
    monkeypatch.setenv("HTVM_CACHE", str(tmp_path / "cache"))
    assert htvm("verify", DIGITS, "-t", "cpu").code == 0
    for file in (tmp_path / "cache" / "objects").iterdir():
        if file.suffix == suffix or (suffix == ".o" and file.suffix == ".so"):
            file.unlink() if content is None else file.write_bytes(content)
    outcome = htvm("verify", DIGITS, "-t", "cpu")
    assert outcome.code == 0, outcome.err


def test_home_that_is_nowhere(htvm, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HTVM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert htvm("verify", DIGITS, "-t", "cpu").code == 0
    assert (tmp_path / "xdg" / "htvm" / "objects").exists()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/nonexistent/home")
    if os.geteuid() != 0:
        htvm("verify", DIGITS, "-t", "cpu").refuses(6, "E504", "HTVM_CACHE")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    htvm("verify", DIGITS, "-t", "cpu").refuses(6, "E504", "HTVM_CACHE")
    assert [found.name for found in tmp_path.iterdir()] == ["xdg"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_terminal_with_few_characters(process, tmp_path, encoding):
    env = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "POSIX", "LANG": None}
    path = tmp_path / "größe.onnx"
    shutil.copy(DIGITS, path)
    outcome = process("deploy", path, "-t", "cpu", "-o", tmp_path / "重み", env=env)
    assert outcome.code == 0, outcome.err
    assert "Traceback" not in outcome.err
    assert (tmp_path / "重み" / "report.json").exists()


@pytest.mark.parametrize(
    "arguments", [("targets",), ("inspect", DIGITS), ("inspect", DIGITS, "--json"), ("--help",)]
)
def test_reader_that_went_away(cache, arguments):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        command(*arguments),
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(cache),
        check=False,
    )
    os.close(write)
    assert done.returncode == (1 if "--help" in arguments else 141)
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("arguments", [("targets",), ("inspect", DIGITS, "--json")])
def test_full_disk_behind_the_output(cache, arguments):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(*arguments),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(cache),
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not shutil.which("sh"), reason="no shell to close streams with")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(cache, tmp_path, closed):
    words = " ".join(f"'{word}'" for word in command("verify", DIGITS, "-t", "cpu", "--json"))
    done = subprocess.run(
        ["sh", "-c", f"{words} {closed}"],
        capture_output=True,
        text=True,
        env=environment(cache),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_full_disk_behind_the_folder(htvm, tmp_path):
    resource = pytest.importorskip("resource")
    out = tmp_path / "out"
    assert htvm("deploy", DIGITS, "-t", "cpu", "-o", out, "--no-verify").code == 0
    before = tree(out)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        outcome = htvm("deploy", DIGITS, "-t", "diana", "-o", out, "--no-verify")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    outcome.refuses(2, "E145", "File too large")
    assert tree(out) == before
    assert list(tmp_path.iterdir()) == [out]


def test_folder_that_was_removed(process, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script(tmp_path / "run", f'rmdir {gone}; "$@"')
    done = subprocess.run(
        [tmp_path / "run", *command("deploy", DIGITS, "-t", "cpu", "-o", "out", "--no-verify")],
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "error[HTVM-E145]" in done.stderr
    assert "Traceback" not in done.stderr


LIGHT = ("import sys\nfrom htvm.cli.main import run\ncode = run(sys.argv[1:])\n"
         "print(sorted({'tvm', 'onnx', 'numpy', 'pydantic', 'jinja2', 'cffi', 'htvm_cpu'}"
         " & set(sys.modules)), file=sys.stderr)")  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [["--help"], ["deploy", "--help"], ["--version"], ["targets"], ["explain", "E301"]]
)
def test_nothing_heavy_is_loaded(arguments):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *arguments], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "[]"


def test_doctor_does_not_load_tvm():
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, "doctor"], capture_output=True, text=True, check=False
    )
    assert "'tvm'" not in done.stderr
    for name, version in PINS.items():
        assert name in done.stdout
        assert version in done.stdout
