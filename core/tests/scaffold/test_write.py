import pytest

from htvm.errors import UsageError
from htvm.scaffold.write import write_package

FILES = {"README.md": "é\n", "src/a/b.py": ""}


def below(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_are_written_and_parents_made(tmp_path):
    folder = tmp_path / "some" / "where"
    write_package(FILES, folder)
    assert below(folder) == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["where"]


def test_an_empty_folder_will_do(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    write_package(FILES, folder)
    assert below(folder) == FILES


@pytest.mark.parametrize("kind", ["file", "full folder", "link", "dangling link"])
def test_what_is_there_is_left_alone(tmp_path, kind):
    place = tmp_path / "there"
    if kind == "file":
        place.write_text("mine")
    elif kind == "full folder":
        place.mkdir()
        (place / "mine").write_text("mine")
    else:
        place.symlink_to(tmp_path if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(UsageError) as caught:
        write_package(FILES, place)
    assert caught.value.code == "E151"
    assert {path.name for path in tmp_path.iterdir()} == {"there"}


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        write_package(FILES, tmp_path / "file" / "x")
    assert caught.value.code == "E145"
