"""Writes the reference pages that follow from the sources, under ``generated``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from htvm.report.model import report_schema
from htvm.target.toml import hardware_schema
from reference.api import api_page
from reference.checks import checks_page
from reference.errors import errors_page
from reference.hardware import hardware_page
from reference.hooks import hooks_page
from reference.markdown import schema_page
from reference.targets import target_pages


def pages() -> Mapping[str, str]:
    """File name -> text of every generated page."""
    return {
        "hooks.md": hooks_page(),
        "api.md": api_page(),
        "errors.md": errors_page(),
        "checks.md": checks_page(),
        "hardware.md": hardware_page(),
        "hardware-schema.md": schema_page(
            "JSON Schema of the hardware description", hardware_schema()
        ),
        "report.md": schema_page("report.json", report_schema(), _REPORT),
        **target_pages(),
    }


_REPORT = "`htvm deploy` writes `report.json` beside the C project. This is its JSON Schema."


def write_reference(folder: Path) -> None:
    """Write every page; files that would not change are left alone, others are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for stale in set(folder.glob("*.md")) - {folder / name for name in wanted}:
        stale.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
