"""Installed targets do not meet, and neither meets the inside of core."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from fakes import CHIP

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(ROOT.glob("plugins/*/src/**/*.py"))

BUILD = """
import sys
from htvm import deploy
result = deploy(sys.argv[1], target=sys.argv[2], random=1)
print(result.report.target.distribution)
print(sorted(name for name in sys.modules if name.startswith("htvm_") and "." not in name))
"""


@pytest.mark.parametrize(
    ("target", "modules"),
    [
        ("cpu", ["htvm_cpu"]),
        ("diana", ["htvm_cpu", "htvm_diana"]),
        ("left", ["htvm_cpu", "htvm_left"]),
    ],
)
def test_a_build_imports_nothing_of_other_targets(install, process, digits, target, modules):
    install("left")
    install("right")
    done = process("-c", BUILD, digits, target)
    assert done.out.splitlines() == [f"htvm-{target}", str(modules)], done.err


def answering(word: str) -> str:
    return (
        CHIP
        + f"""
    @hookimpl
    def htvm_doctor(self):
        return (Check(name={word!r}, ok=True, detail=""),)

    @hookimpl
    def htvm_options(self):
        return {{"engine.cpu.{word}": "an option"}}
"""
    )


def test_two_targets_never_answer_for_each_other(install):
    from htvm.plugins.session import open_session

    install("left", answering("left"))
    install("right", answering("right"))
    for word in ("left", "right"):
        session = open_session(word)
        assert [check.name for check in session.checks()] == [word]
        assert set(session.options) == {f"engine.cpu.{word}"}


def imported(path: Path) -> set[str]:
    """Modules of htvm that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= (
                {f"htvm.{name.name}" for name in node.names}
                if node.module == "htvm"
                else {node.module}
            )
    return {name for name in found if name.split(".")[0].startswith("htvm")}


def test_there_is_something_to_look_at():
    assert len(SOURCES) > 20


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_targets_import_the_public_face_only(path):
    own = path.relative_to(ROOT / "plugins").parts[0].replace("-", "_")
    foreign = {name for name in imported(path) if name.split(".")[0] != own}
    assert foreign <= {"htvm.api"}


def test_the_linter_forbids_all_but_the_public_face():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (face,) = [one for one in contracts["contracts"] if "public face" in one["name"]]
    core = (ROOT / "core" / "src" / "htvm").iterdir()
    inside = {
        path.stem for path in core if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    wanted = {f"htvm.{name}" for name in inside - {"__init__", "api"}}
    assert wanted == set(face["forbidden_modules"])


def test_core_names_no_chip():
    core = (ROOT / "core" / "src" / "htvm").rglob("*")
    texts = {
        path: path.read_text("utf-8") for path in core if path.suffix in {".py", ".j2", ".toml"}
    }
    ours = {path.name.removeprefix("htvm-") for path in (ROOT / "plugins").iterdir()} - {"cpu"}
    assert ours <= {point.name for point in entry_points(group="htvm.targets")}
    for name in ours:
        named = re.compile(rf"(?i)(?<![a-z]){name}(?![a-z])")
        assert [path.name for path, text in texts.items() if named.search(text)] == []
