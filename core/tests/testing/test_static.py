"""What is said of a package without importing it."""

import pytest

from htvm.plugins.listing import TargetInfo
from htvm.testing.static.hardware import toml_faults
from htvm.testing.static.hooks import Source, hooks, source_faults
from htvm.testing.static.lines import key_lines, line_of
from htvm.testing.static.look import static_faults
from htvm.testing.static.place import locate

INFO = TargetInfo(name="chip", distribution="htvm-chip", version="1", entry="chip:Chip")
TOML = """schema = 1
name = "chip"
description = "a chip"
clock_hz = 1_000
main_memory = "ram"
stack_bytes = 0

[memory.ram]
size_bytes = 4096

[engine.cpu]
core = "generic"

[[engine.cpu.contract]]
ops = ["conv2d"]
input_types = ["int8"]

[[engine.cpu.contract]]
ops = ["dense"]
input_types = ["int8"]

[sources]
"memory.ram.size_bytes" = "a guess"
"""


def hooks_of(body):
    text = f"class Chip(api.Target):\n    extends = ('cpu',)\n{body}"
    return [f"{f.where} {f.what}" for f in source_faults(Source(text=text, shown="p.py"), INFO)]


def hook(head, decorator="api.hookimpl"):
    return f"    @{decorator}\n    def {head}:\n        return None\n"


def test_lines_of_keys_tables_and_lists():
    lines = key_lines(TOML)
    assert lines["clock_hz",] == 4
    assert lines["memory", "ram", "size_bytes"] == 9
    assert lines["engine", "cpu", "contract", 1, "input_types"] == 20
    assert lines["sources", "memory.ram.size_bytes"] == 23
    assert line_of(lines, ("engine", "cpu", "contract", 0, "rounding")) == 14
    assert line_of(lines, ("nothing",)) == 1


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("clock_hz = 1_000", 'clock_hz = "1k"', 4, "clock_hz"),
        ('main_memory = "ram"', 'main_memory = "rom"', 5, "'rom'"),
        ("size_bytes = 4096", "size_byte = 4096", 9, "size_byte"),
        ("size_bytes = 4096", "align_bytes = 4", 8, "size_bytes"),
        ('core = "generic"', "core = [1]", 12, "engine.cpu.core"),
        ('ops = ["dense"]', "ops = []", 19, "engine.cpu.contract.1.ops"),
        ("[memory.ram]", "[memory.ram", 8, "not TOML"),
        ("[engine.cpu]", "[engine.npu]", 11, "cpu"),
    ],
)
def test_a_fault_in_a_description_has_its_line(tmp_path, old, new, line, says):
    file = tmp_path / "hardware.toml"
    text = TOML.replace(old, new)
    if "engine.npu" in new:
        text = text.replace("engine.cpu", "engine.npu")
    file.write_text(text, encoding="utf-8")
    found = toml_faults(file, "hardware.toml")
    assert any(f.where == f"hardware.toml:{line}" and says in f.what for f in found), found


def test_all_faults_of_a_description_are_told_at_once(tmp_path):
    file = tmp_path / "hardware.toml"
    text = TOML.replace("1_000", "0").replace('"a chip"', "7").replace("stack_bytes", "stack")
    file.write_text(text, encoding="utf-8")
    lines = {int(f.where.partition(":")[2]) for f in toml_faults(file, "hardware.toml")}
    assert {3, 4, 6} <= lines


def test_a_sound_class_has_no_faults():
    body = "".join(hook(f"{name}({', '.join(('self', *has))})") for name, has in hooks().items())
    assert hooks_of(body) == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (hook("htvm_pak(self, layer)"), "p.py:4 htvm_pak is no hook: did you mean 'htvm_pack'?"),
        (hook("htvm_pack(self, layr)"), "no argument 'layr': did you mean 'layer'?"),
        (hook("htvm_pack(self, **all)"), "takes any arguments"),
        (hook("htvm_pack(self)") * 2, "defined 2 times"),
        (hook("htvm_pack(self)", "property"), "lacks @hookimpl"),
        ("    async def htvm_pack(self):\n        pass\n", "is async"),
        ("    api_version = '2.0'\n", "needs plug-in interface 2.0"),
        ("    extends = 'cpu'\n", "has to be a tuple"),
        ("    def (:\n", "is not Python"),
    ],
)
def test_a_fault_in_a_class_is_told(body, says):
    assert any(says in text for text in hooks_of(body)), hooks_of(body)


def test_methods_that_are_no_hooks_are_left_alone():
    assert hooks_of("    def helper(self):\n        return None\n") == []


def project(folder, *, entry="chip.plugin:Chip", python=">=3.11", requires=""):
    package = folder / "src" / "chip"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    (package / "plugin.py").write_text("class Chip(Target):\n    pass\n")
    (package / "hardware.toml").write_text(TOML)
    (folder / "pyproject.toml").write_text(
        f"""[project]
name = "htvm-chip"
version = "1"
requires-python = "{python}"
dependencies = [{requires}]
[project.entry-points."htvm.targets"]
chip = "{entry}"
"""
    )
    return str(folder) + "/"


def test_a_project_is_looked_over_without_an_import(tmp_path):
    place = locate(project(tmp_path))
    assert len(place.sources) == 2
    assert len(place.tables) == 1
    assert static_faults(place) == ()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"entry": "chip.plug:Chip"}, "no module 'chip.plug'"),
        ({"entry": "chip.plugin:Chop"}, "has no 'Chop'"),
        ({"python": ">=4"}, "excludes this Python"),
        ({"requires": "'no-such-package>=1'"}, "no-such-package is not installed"),
    ],
)
def test_metadata_that_cannot_work_is_told(tmp_path, wrong, says):
    found = static_faults(locate(project(tmp_path, **wrong)))
    assert any(says in f.what for f in found), found


def test_a_folder_without_a_target_is_told(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert "announces no target" in static_faults(locate(f"{tmp_path}/"))[0].what
