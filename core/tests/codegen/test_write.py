"""Writing to disk: all or nothing, and never over somebody else's files."""

import hashlib
import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from htvm.codegen import write
from htvm.codegen.write import check_writable, write_project
from htvm.errors import UsageError

FILES = {"src/a.c": "int a;\n", "Makefile": "all:\n"}


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_writes_files_and_their_digests(tmp_path):
    write_project(FILES, tmp_path / "out")
    found = tree(tmp_path / "out")
    manifest = json.loads(found.pop("manifest.json"))
    assert found == FILES
    assert manifest["files"]["src/a.c"] == hashlib.sha256(b"int a;\n").hexdigest()
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_replaces_an_earlier_project_and_what_was_built_in_it(tmp_path):
    out = tmp_path / "out"
    write_project({**FILES, "old.c": ""}, out)
    (out / "build").mkdir()
    (out / "build" / "a.o").write_text("")
    check_writable(out)
    write_project(FILES, out)
    assert set(tree(out)) == {*FILES, "manifest.json"}


@pytest.mark.parametrize("before", [{"mine.txt": "x"}, {"manifest.json": "{}"}, {"build/x": ""}])
def test_refuses_a_folder_of_others(tmp_path, before):
    for name, text in before.items():
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(text)
    for attempt in (check_writable, lambda folder: write_project(FILES, folder)):
        with pytest.raises(UsageError) as caught:
            attempt(tmp_path / "out")
        assert caught.value.code == "E146"
        assert next(iter(before)) in caught.value.seen
    assert tree(tmp_path / "out") == before


def test_refuses_when_the_user_added_a_file(tmp_path):
    write_project(FILES, tmp_path / "out")
    (tmp_path / "out" / "src" / "mine.c").write_text("")
    with pytest.raises(UsageError, match="did not write"):
        write_project(FILES, tmp_path / "out")


def test_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    write_project(FILES, tmp_path / "out")
    assert (tmp_path / "out" / "Makefile").exists()


def test_missing_parents_are_made(tmp_path):
    folder = tmp_path / "a" / "b" / "out"
    check_writable(folder)
    assert not (tmp_path / "a").exists()
    write_project(FILES, folder)
    assert (folder / "Makefile").exists()


def test_parents_made_for_nothing_are_removed(tmp_path):
    with pytest.raises(UsageError) as caught:
        write_project({"a" * 300: ""}, tmp_path / "a" / "b" / "out")
    assert caught.value.code == "E145"
    assert list(tmp_path.iterdir()) == []


def test_link_to_a_folder_is_somebody_elses(tmp_path):
    write_project(FILES, tmp_path / "out")
    (tmp_path / "data").mkdir()
    (tmp_path / "out" / "data").symlink_to(tmp_path / "data")
    with pytest.raises(UsageError, match="did not write"):
        check_writable(tmp_path / "out")


def test_current_folder_is_not_pulled_away(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        check_writable(Path())
    assert "current folder" in caught.value.seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_writing_leaves_the_old_one(tmp_path, monkeypatch, number):
    out = tmp_path / "out"
    write_project(FILES, out)
    before = tree(out)
    came = []
    monkeypatch.setattr(write, "_fill", lambda folder, files: signal.raise_signal(number))
    earlier = signal.signal(number, lambda *about: came.append(about[0]))
    try:
        write_project({"new.c": ""}, out)
    finally:
        signal.signal(number, earlier)
    assert came == [number]
    assert tree(out) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_many_writers_of_one_folder(tmp_path):
    out = tmp_path / "out"

    def writer(number):
        for _ in range(10):
            write_project({"who": str(number), **FILES}, out)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(writer, range(4)))
    assert set(tree(out)) == {"who", *FILES, "manifest.json"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_parent_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        write_project(FILES, tmp_path / "file" / "out")
    assert caught.value.code == "E145"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("where", ["_fill", "rename"])
def test_stopped_midway_leaves_the_old_one(tmp_path, monkeypatch, stop, where):
    out = tmp_path / "out"
    write_project(FILES, out)
    before = tree(out)
    real = Path.rename

    def rename(self, target):
        if Path(target) == out and not self.name.endswith(".old"):
            raise stop
        return real(self, target)

    def fill(folder, files):
        (folder / "half").write_text("")
        raise stop

    if where == "rename":
        monkeypatch.setattr(Path, "rename", rename)
    else:
        monkeypatch.setattr(write, "_fill", fill)
    with pytest.raises((KeyboardInterrupt, UsageError)):
        write_project({"new.c": ""}, out)
    assert tree(out) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
