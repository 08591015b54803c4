"""Writing one file: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from htvm.errors import UsageError
from htvm.files import check_file_writable, write_file


def test_parents_are_made_and_what_was_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "net.onnx"
    for data in (b"first", b"second"):
        write_file(path, data)
        assert path.read_bytes() == data
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match="cannot write") as caught:
        write_file(path, b"new")
    assert (caught.value.code, caught.value.seen) == ("E145", "No space left on device")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("net.onnx", b"old")]


@pytest.mark.parametrize("name", ["folder", "file/net.onnx"])
def test_what_is_in_the_way_is_seen_early(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        check_file_writable(tmp_path / name)
    assert caught.value.code == "E145"
