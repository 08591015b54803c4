"""Targets from files and TOML boards, through the command line."""

from __future__ import annotations

import pytest
from fakes import CHIP

BOARD = 'extends = "diana"\nclock_hz = 1_000_000\n[memory.l2]\nsize_bytes = 400_000\n'


def test_deploy_to_a_file(htvm, digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mychip.py").write_text(CHIP)
    done = htvm("deploy", digits, "-t", "./mychip.py", "--random", 1, "--json")
    assert done.code == 0, done.err
    target = done.document["target"]
    assert (target["distribution"], target["version"]) == ("./mychip.py", "(local)")
    assert (tmp_path / "build" / "digits-mychip" / "report.html").is_file()


def test_deploy_to_a_board(htvm, digits, tmp_path):
    (tmp_path / "board.toml").write_text(BOARD)
    done = htvm("deploy", digits, "-t", tmp_path / "board.toml", "-o", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert done.document["target"]["clock_hz"] == 1_000_000
    assert {layer["engine"] for layer in done.document["layers"]} == {"digital", "cpu"}


@pytest.fixture
def packaged(install, site):
    """Installs a distribution that brings a board and no class."""

    def add(text: str) -> str:
        folder = site / "htvm_board"
        folder.mkdir()
        (folder / "__init__.py").write_text('"""A board."""\n')
        (folder / "board.toml").write_text(text)
        return install("board", None, entry="htvm_board:board.toml")

    return add


def test_a_packaged_board_is_a_target(packaged, htvm, digits):
    owner = packaged(BOARD)
    listed = htvm("targets", "-v", "--json").document["targets"]
    (row,) = (row for row in listed if row["name"] == "board")
    assert row["error"] is None
    assert row["about"].endswith("(cpu, digital)")
    done = htvm("verify", digits, "-t", "board", "--random", 1)
    assert done.code == 0, done.err
    assert owner.startswith("htvm-board")


def test_faults_of_a_packaged_board_name_its_package(packaged, htvm, digits):
    owner = packaged(BOARD + "align = 3\n[engine.digitl]\n")
    done = htvm("verify", digits, "-t", "board")
    assert done.code == 7
    assert "error[HTVM-E611]" in done.err
    for word in (owner, "htvm_board:board.toml", "memory.l2.align", "did you mean 'digital'"):
        assert word in done.err


def test_a_package_without_the_file_it_names(install, site, htvm, digits):
    (site / "htvm_board").mkdir()
    (site / "htvm_board" / "__init__.py").touch()
    owner = install("board", None, entry="htvm_board:board.toml")
    done = htvm("verify", digits, "-t", "board")
    assert done.code == 7
    assert "error[HTVM-E602]" in done.err
    assert owner in done.err
