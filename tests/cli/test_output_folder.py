"""The output folder: all or nothing, nobody else's files touched, nothing written elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from shell import DIGITS, command, environment, tree


def deployed(htvm, out: Path) -> dict[str, bytes | None]:
    """What is in a folder after a deployment."""
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", out, "--no-verify")
    assert outcome.code == 0, outcome.err
    return tree(out)


def test_parents_are_made(htvm, tmp_path):
    deployed(htvm, tmp_path / "a" / "b" / "c")


def test_failure_leaves_no_parents(htvm, tmp_path):
    out = tmp_path / "a" / "b" / "c"
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", out, "--set", "memory.ram.size_bytes=9")
    outcome.refuses(4, "E301")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["file", "file/out", "file/a/b"])
def test_file_in_the_way(htvm, tmp_path, out):
    (tmp_path / "file").write_text("mine")
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", tmp_path / out)
    outcome.refuses(2, "E146" if out == "file" else "E145", "file", "-o")
    assert tree(tmp_path) == {"file": b"mine"}


def test_name_too_long(htvm, tmp_path):
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", tmp_path / ("x" * 300), "--no-verify")
    outcome.refuses(2, "E145", "too long")
    assert list(tmp_path.iterdir()) == []


def test_current_folder(htvm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    htvm("deploy", DIGITS, "-t", "cpu", "-o", ".").refuses(2, "E145", "current folder")


def test_files_of_others(htvm, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    outcome = htvm("deploy", DIGITS, "-t", "cpu", "-o", out)
    outcome.refuses(2, "E146", str(out), "thesis.tex", "-o")
    assert tree(tmp_path) == {"out": None, "out/thesis.tex": b"years of work"}


def test_file_added_to_a_project(htvm, tmp_path):
    out = tmp_path / "out"
    deployed(htvm, out)
    (out / "src" / "mine.c").write_text("int mine;")
    before = tree(tmp_path)
    htvm("deploy", DIGITS, "-t", "cpu", "-o", out).refuses(2, "E146", "src/mine.c")
    assert tree(tmp_path) == before


def test_forged_manifest_cannot_lead_outside(htvm, tmp_path):
    (tmp_path / "outside").write_text("mine")
    out = tmp_path / "out"
    deployed(htvm, out)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["files"]["../outside"] = manifest["files"][str(tmp_path / "outside")] = ""
    (out / "manifest.json").write_text(json.dumps(manifest))
    deployed(htvm, out)
    assert (tmp_path / "outside").read_text() == "mine"


@pytest.mark.parametrize("content", ["[]", "{", "null", '{"kind": "htvm project"}', "\0", '"x"'])
def test_manifest_that_is_not_ours(htvm, tmp_path, content):
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text(content)
    htvm("deploy", DIGITS, "-t", "cpu", "-o", out).refuses(2, "E146", "manifest.json")


def test_link_to_an_output_folder(htvm, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    deployed(htvm, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "Makefile").exists()


def test_link_that_leads_in_a_circle(htvm, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    htvm("deploy", DIGITS, "-t", "cpu", "-o", tmp_path / "loop" / "out").refuses(2, "E145")


def test_later_deployment_replaces_all(htvm, tmp_path):
    out = tmp_path / "out"
    assert htvm("deploy", DIGITS, "-t", "diana", "-o", out, "--no-verify").code == 0
    assert (out / "device").exists()
    assert deployed(htvm, out) == deployed(htvm, tmp_path / "fresh")


@contextmanager
def bound_by_permissions() -> Iterator[None]:
    """Be nobody for a while, if this is root, whom permissions do not bind."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="needs Linux's file permissions")
@pytest.mark.parametrize("exists", [False, True])
def test_folder_that_is_read_only(htvm, tmp_path, exists):
    deployed(htvm, tmp_path / "first")  # loads every module while it can be read
    out = tmp_path / "closed" / "out"
    out.parent.mkdir()
    if exists:
        deployed(htvm, out)
    before = tree(out.parent)
    model = shutil.copy(DIGITS, tmp_path)
    out.parent.chmod(0o555)
    for place in (tmp_path, *tmp_path.parents):
        if place.stat().st_uid == os.geteuid() and "pytest" in str(place):
            place.chmod(0o755)
    with bound_by_permissions():
        outcome = htvm("deploy", model, "-t", "cpu", "-o", out)
    outcome.refuses(2, "E145", "read-only", "-o")
    assert tree(out.parent) == before


@pytest.mark.parametrize(
    ("number", "after"),
    [(signal.SIGINT, 0.0), (signal.SIGINT, 0.3), (signal.SIGINT, 0.8), (signal.SIGTERM, 0.3)],
)
def test_stopped_midway(cache, tmp_path, number, after):
    out = tmp_path / "a" / "out"
    with subprocess.Popen(
        command("deploy", DIGITS, "-t", "diana", "-o", out, "--random", 10_000, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(cache, {"TMPDIR": str(tmp_path)}),
    ) as running:
        assert running.stderr is not None
        assert "read" in running.stderr.readline()
        time.sleep(after)
        running.send_signal(number)
        document, told = running.communicate(timeout=30)
    # Python itself dies of Ctrl-C, after all is told, if it came while text was executed.
    assert running.returncode in {128 + number, -signal.SIGINT}, told
    assert "error[HTVM-E002]" in told
    assert "Traceback" not in told
    assert json.loads(document)["error"]["code"] == "HTVM-E002"
    assert list(tmp_path.iterdir()) == []
    assert [left for left in cache.glob("objects/*") if left.is_dir()] == []


def test_stopped_with_an_earlier_output(htvm, cache, tmp_path):
    out = tmp_path / "out"
    before = deployed(htvm, out)
    with subprocess.Popen(
        command("deploy", DIGITS, "-t", "diana", "-o", out, "--random", 10_000),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(cache),
    ) as running:
        for line in running.stderr or ():
            if "emit" in line:
                running.send_signal(signal.SIGINT)
    assert running.returncode == 130
    assert tree(out) == before
    assert list(tmp_path.iterdir()) == [out]


def test_many_at_once(cache, tmp_path):
    out = tmp_path / "out"
    targets = ("cpu", "diana", "cpu")
    running = [
        subprocess.Popen(
            command("deploy", DIGITS, "-t", target, "-o", out, "--random", 1),
            stderr=subprocess.PIPE,
            text=True,
            env=environment(cache),
        )
        for target in targets
    ]
    for one in running:
        _, told = one.communicate(timeout=60)
        assert one.returncode == 0, told
    manifest = json.loads((out / "manifest.json").read_text())
    found = {name for name, data in tree(out).items() if data is not None}
    assert found == {"manifest.json", *manifest["files"]}
    assert list(tmp_path.iterdir()) == [out]


def test_nothing_is_written_anywhere_else(process, tmp_path):
    places = {name: tmp_path / name for name in ("home", "cwd", "tmp", "cache")}
    for place in places.values():
        place.mkdir()
    env = {
        "HOME": str(places["home"]),
        "TMPDIR": str(places["tmp"]),
        "HTVM_CACHE": str(places["cache"]),
        "XDG_CACHE_HOME": None,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    out = tmp_path / "out"
    runs = (
        ("deploy", DIGITS, "-t", "diana", "-o", out),
        ("deploy", DIGITS, "-t", "cpu", "-o", out, "--sanitize"),
        ("verify", DIGITS, "-t", "cpu"),
        ("deploy", DIGITS, "-t", "diana", "--set", "memory.l2.size_bytes=9", "-o", "never"),
        ("doctor",),
    )
    for arguments in runs:
        outcome = process(*arguments, cwd=places["cwd"], env=env)
        assert outcome.code in {0, 4}, outcome.err
    for name in ("home", "cwd", "tmp"):
        assert tree(places[name]) == {}, name
    assert {found.name for found in tmp_path.iterdir()} == {*places, "out"}
    left = {path.suffix for path in (places["cache"] / "objects").iterdir()}
    assert left == {".o", ".so", ".sha256"}
