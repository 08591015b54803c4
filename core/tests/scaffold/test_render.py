import ast
import tomllib

import pytest

from htvm.api import API_VERSION
from htvm.scaffold.names import names
from htvm.scaffold.render import Choices, render
from htvm.target.toml import load_hardware

FILES = {
    ".github/workflows/check.yml",
    ".gitignore",
    "README.md",
    "docs/acme.md",
    "pyproject.toml",
    "src/htvm_acme/__init__.py",
    "src/htvm_acme/engine.py",
    "src/htvm_acme/hardware.toml",
    "src/htvm_acme/pack.py",
    "src/htvm_acme/patterns.py",
    "src/htvm_acme/plugin.py",
    "src/htvm_acme/py.typed",
    "src/htvm_acme/runtime/acme.h",
    "src/htvm_acme/runtime/acme_device.c",
    "src/htvm_acme/runtime/acme_emulation.c",
    "tests/test_acme.py",
}


def rendered(name="acme", **choices):
    return render(Choices(names=names(name), **choices))


def lines_of(files, endings):
    return sum(
        len(text.splitlines())
        for path, text in files.items()
        if path.startswith("src/") and path.endswith(endings)
    )


@pytest.mark.parametrize("layout", ["channels-last", "channel-blocks", "channels-first"])
@pytest.mark.parametrize("engines", [1, 3])
def test_every_choice_is_small(layout, engines):
    files = rendered(layout=layout, engines=engines)
    assert set(files) == FILES
    assert lines_of(files, ".py") <= 150
    assert lines_of(files, (".c", ".h")) <= 120
    assert not any("{{" in text or "{%" in text for text in files.values())


def test_it_imports_nothing_of_htvm_but_its_public_face():
    for path, text in rendered().items():
        if not path.startswith("src/") or not path.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module == "htvm":
                assert [alias.name for alias in node.names] == ["api"]
            elif isinstance(node, ast.ImportFrom):
                assert not str(node.module).startswith("htvm.") or node.module == "htvm.api"


def test_the_entry_point_names_the_class():
    table = tomllib.loads(rendered("my-chip")["pyproject.toml"])
    points = table["project"]["entry-points"]["htvm.targets"]
    assert points == {"my-chip": "htvm_my_chip.plugin:MyChip"}
    assert "class MyChip(api.Target):" in rendered("my-chip")["src/htvm_my_chip/plugin.py"]


def test_the_hardware_has_the_engines_asked_for():
    text = rendered(engines=3)["src/htvm_acme/hardware.toml"]
    hardware = load_hardware(text)
    assert set(hardware.engines) == {"cpu", "npu0", "npu1", "npu2"}
    assert hardware.engines["npu2"].contract("depthwise").multiplier == "channel"
    assert set(load_hardware(rendered()["src/htvm_acme/hardware.toml"]).engines) == {"cpu", "npu"}


def test_it_says_which_interface_it_needs():
    assert f'api_version = "{API_VERSION}"' in rendered()["src/htvm_acme/plugin.py"]


def test_the_same_choices_give_the_same_bytes():
    assert rendered() == rendered()


def test_the_name_is_nowhere_but_where_it_belongs():
    for path, text in rendered("zyx").items():
        assert "acme" not in (path + text).lower()
