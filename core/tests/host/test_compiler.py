"""Finding a compiler and building with it."""

import pytest

from htvm.errors import ToolError
from htvm.host import compiler
from htvm.host.compiler import Build, build_library, find_compiler

EMPTY = Build(files={"a.c": "int a(void) { return 1; }\n"}, sources=("a.c",), include_dirs=())


def test_environment_comes_first(monkeypatch):
    monkeypatch.setenv("HTVM_CC", "gcc -m64")
    monkeypatch.setenv("CC", "does-not-exist")
    assert find_compiler().command == ("gcc", "-m64")


def test_named_compiler_must_run(monkeypatch):
    monkeypatch.delenv("HTVM_CC", raising=False)
    monkeypatch.setenv("CC", "does-not-exist")
    with pytest.raises(ToolError, match=r"\$CC") as caught:
        find_compiler()
    assert caught.value.code == "E502"


def test_none_at_all_says_what_to_install(monkeypatch):
    for name in ("HTVM_CC", "CC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError) as caught:
        find_compiler()
    assert caught.value.code == "E501"
    assert "pip install" in caught.value.hint


def test_same_content_is_built_once(monkeypatch, tmp_path):
    monkeypatch.setenv("HTVM_CACHE", str(tmp_path))
    found = find_compiler()
    first = build_library(EMPTY, found)
    built = first.stat().st_ino
    assert build_library(EMPTY, found) == first
    assert first.stat().st_ino == built
    other = Build(files={"a.c": "int a(void) { return 2; }\n"}, sources=("a.c",), include_dirs=())
    assert build_library(other, found) != first


def test_compiler_error_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("HTVM_CACHE", str(tmp_path))
    wrong = Build(files={"a.c": "int a(void) { return x; }\n"}, sources=("a.c",), include_dirs=())
    with pytest.raises(ToolError) as caught:
        build_library(wrong, find_compiler())
    assert caught.value.code == "E503"
    assert "a.c:1" in caught.value.seen


def test_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HTVM_CACHE", str(tmp_path / "file"))
    with pytest.raises(ToolError) as caught:
        build_library(EMPTY, find_compiler())
    assert caught.value.code == "E504"
