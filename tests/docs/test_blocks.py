"""The finder of code blocks."""

from __future__ import annotations

from pathlib import Path

import blocks
import pytest
from blocks import Block

PAGE = """Text.

```sh
echo one
```

````{code-block} python
:caption: src/file.py

def first():
    ...

second = 2
````
"""


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Block]:
    monkeypatch.setattr(blocks, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    return blocks.blocks(page)


def test_fences_and_captions_are_found(found: list[Block]) -> None:
    command, part = found

    assert (command.line, command.language, command.text) == (3, "sh", "echo one\n")
    assert (part.language, part.file) == ("python", "src/file.py")


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("def first():\n    return 1\n\nsecond = 2\n", True),
        ("def first():\n    return 1\n\nsecond = 3\n", False),
    ],
)
def test_a_part_of_a_file_must_be_in_it(
    found: list[Block], tmp_path: Path, text: str, holds: bool
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "file.py").write_text(text)

    if holds:
        blocks.run(found[1], tmp_path)
    else:
        with pytest.raises(AssertionError, match=r"page\.md:7"):
            blocks.run(found[1], tmp_path)


def test_a_failing_command_is_named_with_its_page_and_line(tmp_path: Path) -> None:
    block = Block(page="page.md", line=12, language="sh", file="", text="false\ntrue\n")

    with pytest.raises(AssertionError, match=r"page\.md:12"):
        blocks.run(block, tmp_path)


def test_installing_is_left_out() -> None:
    text = "python3 -m venv .venv && .venv/bin/pip install -q ./core && .venv/bin/python x.py"

    assert blocks.installed(text) == "true && true && python x.py"
