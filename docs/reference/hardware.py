"""The page of the hardware description: every key with its type, default and meaning."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from htvm.target.contract import Contract
from htvm.target.hardware import Engine, Hardware, Memory
from htvm.target.toml import hardware_schema
from reference.hooks import EXAMPLES
from reference.markdown import fenced, page, table

_INTRODUCTION = """
A target describes its chip in a TOML file that `htvm.api.load_hardware` reads; every fault is
reported at once. A key says its unit in its name: `_bytes`, `_cycles`, `_hz`, `_bits`. An element
type is one of `"int8"`, `"uint8"`, `"int16"`, `"int32"`, `"int64"` and `"float32"`; a range is
`[least, greatest]`. Any number can be replaced for one build: `--set memory.l1.size_bytes=65536`.

For editors and scripts there is a [JSON Schema](hardware-schema.md).
"""
_TABLES = (
    ("Top of the file", "_HardwareFile", Hardware, ""),
    ("`[memory.NAME]`", "_MemoryTable", Memory, "A memory of the chip, at least the main memory."),
    (
        "`[engine.NAME]`",
        "_EngineTable",
        Engine,
        "An engine; `[engine.cpu]`, the host, must be there. Besides these keys it holds any "
        "numbers, words and truth values: the parameters that the target's cost model, tiler and "
        "code generator read.",
    ),
    (
        "`[[engine.NAME.contract]]`",
        "_ContractTable",
        Contract,
        "The arithmetic of an engine for some kinds of layers. `contract_constraints` makes the "
        "constraints of a pattern of it.",
    ),
)
_ELSEWHERE = {
    "schema": "Version of this format: 1.",
    "main_memory": "Name of the memory network tensors live in.",
    "memory": "A table for each memory, see below.",
    "engine": "A table for each engine, see below.",
    "contract": "A table for each kind of arithmetic, see below.",
}


def hardware_page() -> str:
    """The tables of the file, one after the other, and an example."""
    schema = hardware_schema()
    lines = ["# Hardware description", "", _INTRODUCTION.strip(), ""]
    for title, name, described, text in _TABLES:
        definition = schema if name == "_HardwareFile" else _definitions(schema)[name]
        meanings = {**meanings_of(described), **_ELSEWHERE}
        lines += [f"## {title}", "", text, "", *_keys(definition, schema, meanings)]
    example = (EXAMPLES / "htvm_hardware.py").read_text(encoding="utf-8").split('"""')[1]
    return page([*lines, "## Example", "", *fenced(example, "toml")])


def meanings_of(described: type) -> Mapping[str, str]:
    """Attribute -> text, from the ``Attributes`` section of a class's docstring."""
    text = inspect.cleandoc(described.__doc__ or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", text, flags=re.MULTILINE)
    return {name: " ".join(words.split()).replace("``", "`") for name, words in entries}


def _keys(
    definition: Mapping[str, Any], schema: Mapping[str, Any], meanings: Mapping[str, str]
) -> list[str]:
    required = definition.get("required", [])
    rows = []
    for key, value in definition["properties"].items():
        default = "required" if key in required else _toml(value.get("default"))
        rows.append([f"`{key}`", type_of(value, schema), default, meanings[key]])
    return table(["key", "type", "default", "meaning"], rows)


def type_of(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A schema's type in a reader's words."""
    if value.get("$ref", "").endswith("/DType"):
        return "element type"
    if "$ref" in value:
        return type_of(_definitions(schema)[value["$ref"].rsplit("/", 1)[1]], schema)
    if "anyOf" in value:
        kinds = [type_of(kind, schema) for kind in value["anyOf"] if kind.get("type") != "null"]
        return " or ".join(kinds)
    if "enum" in value:
        return ", ".join(f'`"{word}"`' for word in value["enum"])
    if value.get("type") == "array":
        if "prefixItems" in value:
            return "range"
        item = type_of(value["items"], schema)
        return f"any of {item}" if "," in item else f"{item}s"
    names = {
        "integer": "integer",
        "string": "text",
        "boolean": "`true`, `false`",
        "object": "table",
    }
    return names[value["type"]] + _limits(value)


def _limits(value: Mapping[str, Any]) -> str:
    low, high = value.get("minimum"), value.get("maximum")
    if "exclusiveMinimum" in value:
        low = value["exclusiveMinimum"] + 1
    if low is not None and high is not None:
        return f", {low}..{high}" if low != high else f", {low}"
    return f", at least {low}" if low is not None else ""


def _toml(value: object) -> str:
    if value is None or value in ({}, ""):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`[{', '.join(map(_toml_item, value))}]`"
    return f"`{_toml_item(value)}`"


def _toml_item(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _definitions(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    definitions: Mapping[str, Any] = schema["$defs"]
    return definitions
