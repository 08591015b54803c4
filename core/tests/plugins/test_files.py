"""Targets given by the path of a file or a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from htvm.errors import PluginError, UsageError
from htvm.plugins.files import is_path, target_id
from htvm.plugins.session import open_session

SUPPORT = Path(__file__).resolve().parents[1] / "support" / "acme.py"
CHIP = "from acme import Acme\n\nclass Chip(Acme):\n    pass\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes files below an empty current folder."""
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)

    def files(**texts: str) -> None:
        for name, text in texts.items():
            target = Path(name.replace("__", "/").replace("_dot_", "."))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(dedent(text), encoding="utf-8")

    yield files
    sys.path[:] = path


@pytest.mark.parametrize(
    ("target", "path", "name"),
    [
        ("cpu", False, "cpu"),
        ("my-chip", False, "my-chip"),
        ("./mychip.py", True, "mychip"),
        ("board.toml", True, "board"),
        ("chips/", True, "chips"),
        ("a b/my chip!.py", True, "my_chip_"),
    ],
)
def test_what_is_a_path(target, path, name):
    assert (is_path(target), target_id(target)) == (path, name)


def test_one_file_is_a_target(write):
    write(mychip_dot_py=SUPPORT.read_text(encoding="utf-8"))
    session = open_session("./mychip.py")
    assert session.hardware.name == "acme"
    assert (session.target.name, session.target.distribution) == ("mychip", "./mychip.py")
    assert session.patterns()


def test_a_changed_file_is_read_again(write):
    for speed in (100, 200):
        write(
            mychip_dot_py=f"""
            from dataclasses import replace
            from acme import Acme, hookimpl

            class Chip(Acme):
                @hookimpl
                def htvm_hardware(self):
                    return replace(Acme.htvm_hardware(self), clock_hz={speed})
            """
        )
        assert open_session("mychip.py").hardware.clock_hz == speed


def test_a_package_is_a_target(write):
    write(
        chips__one____init___dot_py="from .inner import Chip\n",
        chips__one__inner_dot_py=CHIP,
    )
    Path("chips/one/__init__.py").write_text("from .inner import Chip\n")
    assert open_session("chips/one").target.name == "one"


@pytest.mark.parametrize("layout", ["src/", ""])
def test_a_project_that_is_not_installed(tmp_path, monkeypatch, layout):
    monkeypatch.setattr(sys, "path", list(sys.path))
    module = f"project_{len(layout)}"
    home = tmp_path / "htvm-x"
    (home / layout).mkdir(parents=True)
    (home / layout / f"{module}.py").write_text(CHIP)
    points = f'[project.entry-points."htvm.targets"]\nmychip = "{module}:Chip"\n'
    (home / "pyproject.toml").write_text(points)
    session = open_session(f"{home}/")
    assert (session.target.name, session.hardware.name) == ("mychip", "acme")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("raise ValueError('bad day')", "E602", "ValueError: bad day"),
        ("import sys; sys.exit(1)", "E602", "SystemExit"),
        ("class class", "E602", "SyntaxError"),
        ("", "E603", "no class derived from Target"),
        ("from acme import Acme", "E603", "no class derived from Target"),
        (CHIP + "\nclass Other(Acme):\n    pass\n", "E603", "Chip, Other"),
        (CHIP + "    api_version = '9.0'\n", "E604", "9.0"),
        (CHIP + "    def __init__(self, x): pass\n", "E603", "missing 1 required"),
    ],
)
def test_faults_name_the_file(write, text, code, words):
    write(mychip_dot_py=text)
    with pytest.raises(PluginError, match=r"'mychip' of \./mychip\.py") as caught:
        open_session("./mychip.py")
    assert caught.value.code == code
    assert words in caught.value.seen


def test_the_class_nothing_derives_from_is_meant(write):
    write(mychip_dot_py=CHIP + "\nclass Better(Chip):\n    pass\n")
    assert type(open_session("mychip.py")).__name__ == "Session"


@pytest.mark.parametrize(
    "target", ["./missing.py", "missing.toml", "empty/", "note.txt/", "./note.txt"]
)
def test_nothing_there(write, target):
    write(note_dot_txt="x")
    Path("empty").mkdir()
    with pytest.raises(UsageError) as caught:
        open_session(target)
    assert caught.value.code == "E140"


class TestBoards:
    """TOML files that change another target."""

    @pytest.fixture(autouse=True)
    def _base(self, write):
        write(chip_dot_py=CHIP)
        self.write = write

    def board(self, text: str):
        self.write(board_dot_toml='extends = "./chip.py"\n' + dedent(text))
        return open_session("./board.toml")

    def test_changes_only_what_it_names(self):
        base = open_session("./chip.py").hardware
        made = self.board("clock_hz = 5\n[memory.spm]\nsize_bytes = 4096\n").hardware
        assert (made.name, made.clock_hz, made.memories["spm"].size_bytes) == ("board", 5, 4096)
        assert made.memories["spm"].align_bytes == base.memories["spm"].align_bytes
        assert made.engines == base.engines
        assert made.sources == base.sources

    def test_hooks_stay_those_of_the_chip(self):
        names = [pattern.name for pattern in open_session("./chip.py").patterns()]
        assert [pattern.name for pattern in self.board("").patterns()] == names

    def test_a_memory_can_be_added(self):
        made = self.board("[memory.dram]\nsize_bytes = 1_000_000\n").hardware
        assert made.memories["dram"].size_bytes == 1_000_000

    def test_settings_apply_to_the_board(self):
        self.write(board_dot_toml='extends = "./chip.py"\nclock_hz = 5\n')
        assert open_session("board.toml", settings={"clock_hz": "7"}).hardware.clock_hz == 7

    def test_a_board_of_a_board(self):
        self.board("clock_hz = 5\nstack_bytes = 64\n")
        self.write(second_dot_toml='extends = "./board.toml"\nclock_hz = 6\n')
        made = open_session("second.toml").hardware
        assert (made.name, made.clock_hz, made.stack_bytes) == ("second", 6, 64)

    def test_all_faults_at_once(self):
        with pytest.raises(PluginError, match=r"board\.toml") as caught:
            self.board(
                """
                name = "other"
                clock_hz = "fast"
                colour = 1
                sources = 3
                [memory.spm]
                sise_bytes = 3
                [memory.dram]
                align_bytes = 4
                [engine.cpu]
                slownes = 2
                [engine."acme.nothing"]
                x = 1
                [engine."acme.mac"]
                mode = 3
                """
            )
        assert caught.value.code == "E611"
        for word in (
            "name:",
            "clock_hz:",
            "colour:",
            "sources:",
            "memory.spm.sise_bytes:",
            "memory.dram.size_bytes:",
            "did you mean 'slowness'?",
            "engine.acme.nothing:",
            "engine.acme.mac.mode: is of type int, not str",
        ):
            assert word in caught.value.seen

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("clock_hz = 5", "E611"),
            ("extends = 5", "E611"),
            ("extends = ['cpu']", "E611"),
            ("extends = 'nobody'", "E605"),
            ("extends = './nobody.py'", "E605"),
            ("extends = './board.toml'", "E606"),
            ("extends = ", "E610"),
        ],
    )
    def test_what_it_extends(self, text, code):
        self.write(board_dot_toml=text)
        with pytest.raises(PluginError) as caught:
            open_session("./board.toml")
        assert caught.value.code == code

    def test_bytes_that_are_no_text(self):
        Path("board.toml").write_bytes(b'extends = "\xff"')
        with pytest.raises(PluginError) as caught:
            open_session("./board.toml")
        assert caught.value.code == "E610"
