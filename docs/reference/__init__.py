"""Writes the reference pages that follow from the sources: hooks, errors, hardware, report."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

from htvm import hookspecs
from htvm.codes import CODES
from htvm.report.model import report_schema
from htvm.target.toml import hardware_schema

_FAMILIES = {
    "1": "Command line, files and samples (exit code 2)",
    "2": "Networks that cannot be taken (exit code 3)",
    "3": "Too large for the chip (exit code 4)",
    "4": "Generated C and reference differ (exit code 5)",
    "5": "Tools (exit code 6)",
    "6": "Target plug-ins (exit code 7)",
    "0": "Bugs and interruptions (exit codes 1 and 130)",
}


def write_reference(folder: Path) -> None:
    """Write every generated page; files that would not change are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "hooks.md": hooks_page(),
        "errors.md": errors_page(),
        "hardware.md": schema_page("Hardware description", _HARDWARE, hardware_schema()),
        "report.md": schema_page("report.json", _REPORT, report_schema()),
    }
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


_HARDWARE = (
    "A target describes its chip in TOML. This is the JSON Schema of that file; "
    "`htvm.api.load_hardware` reads it and reports every fault at once."
)
_REPORT = "The JSON Schema of `report.json`, which `htvm deploy` writes beside the C project."


def errors_page() -> str:
    """Every error code by family."""
    lines = [
        "# Error codes",
        "",
        "`htvm explain HTVM-E301` shows the same on the command line.",
        "",
    ]
    for digit, title in sorted(_FAMILIES.items()):
        codes = {code: text for code, text in CODES.items() if code[1] == digit}
        if codes:
            lines += [f"## {title}", ""]
            for code, text in codes.items():
                lines += [f"### HTVM-{code}", "", text, ""]
    return "\n".join(lines)


def hooks_page() -> str:
    """Every hook: signature, meaning, and an implementation that can be run as it stands."""
    lines = ["# Hooks", "", inspect.cleandoc(hookspecs.__doc__ or ""), ""]
    for name, function in _hooks().items():
        options = getattr(function, f"{hookspecs.PROJECT}_spec")
        kind = "first result" if options["firstresult"] else "all results"
        signature = str(inspect.signature(function)).replace("'", "")
        lines += [
            f"## {name}",
            "",
            f"*{kind}*",
            "",
            "```text",
            f"{name}{signature}",
            "```",
            "",
            inspect.cleandoc(function.__doc__ or ""),
            "",
            "```python",
            *_example(name, function),
            "```",
            "",
        ]
    return "\n".join(lines)


def _hooks() -> dict[str, Callable[..., object]]:
    return {
        name: value
        for name, value in vars(hookspecs).items()
        if name.startswith("htvm_") and inspect.isfunction(value)
    }


def _example(name: str, function: Callable[..., object]) -> list[str]:
    """A target that answers the hook by passing the question on."""
    arguments = ", ".join(["self", *inspect.signature(function).parameters])
    firstresult = getattr(function, f"{hookspecs.PROJECT}_spec")["firstresult"]
    answer = "None" if firstresult else "()"
    return [
        "from htvm.api import Target, hookimpl",
        "",
        "",
        "class Example(Target):",
        "    @hookimpl",
        f"    def {name}({arguments}):",
        f"        return {answer}",
    ]


def schema_page(title: str, text: str, schema: dict[str, object]) -> str:
    """A page that shows a JSON Schema."""
    body = json.dumps(schema, indent=2)
    return "\n".join([f"# {title}", "", text, "", "```json", body, "```", ""])
