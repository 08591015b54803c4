"""``htvm doctor``: whether everything htvm needs is here and works."""

from __future__ import annotations

import platform
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import click

from htvm.cli import console, options
from htvm.errors import HtvmError
from htvm.target.check import Check

if TYPE_CHECKING:
    from htvm.plugins.probing import Finding

_EXIT_FOUND_FAULTS = 6
_EXTRAS = {
    "onnxruntime": "compares with what ONNX files compute in their own runtime",
    "ai-edge-litert": "compares with what TFLite files compute in their own runtime",
    "pillow": "reads folders of images to calibrate with",
}
"""Packages htvm does without, and what each is good for."""


@click.command("doctor")
@options.as_json
def command(as_json: bool) -> None:
    """Look at Python, TVM, the C compiler, every installed target, and optional packages."""
    checks = [_python(), *_packages(), _compiler(), *_targets()]
    if as_json:
        rows = [{"name": c.name, "ok": c.ok, "detail": c.detail, "hint": c.hint} for c in checks]
        found = {"ok": all(c.ok for c in checks), "checks": rows, "extras": _extras()}
        console.print_json(found)
    else:
        for check in checks:
            _show(check)
        for name, seen in _extras().items():
            _show_extra(name, seen)
        console.output().print(_verdict(checks), markup=False)
    if not all(check.ok for check in checks):
        click.get_current_context().exit(_EXIT_FOUND_FAULTS)


def _show(check: Check) -> None:
    mark = "✓" if check.ok else "✗"
    hint = f"\n     try: {check.hint}" if check.hint and not check.ok else ""
    console.output().print(f" {mark} {check.name:<16} {check.detail}{hint}", markup=False)


def _show_extra(name: str, seen: str | None) -> None:
    mark = "-" if seen is None else "✓"
    detail = f"not installed; it {_EXTRAS[name]}: pip install {name}" if seen is None else seen
    console.output().print(f" {mark} {name:<16} {detail}", markup=False)


def _extras() -> dict[str, str | None]:
    """Version of every extra; None where it is absent."""
    found: dict[str, str | None] = dict.fromkeys(_EXTRAS)
    for name in found:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _verdict(checks: list[Check]) -> str:
    """What it comes to, and what to do about it."""
    failed = [check.name for check in checks if not check.ok]
    if not failed:
        return "   all is well: htvm deploy NETWORK --target TARGET"
    needs = "needs" if len(failed) == 1 else "need"
    return f"   {', '.join(failed)} {needs} mending: do what `try` says, then run htvm doctor again"


def _python() -> Check:
    return Check(
        name="python",
        ok=sys.version_info >= (3, 11),
        detail=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        hint="htvm needs Python 3.11 or newer",
    )


def _packages() -> list[Check]:
    from htvm.tvm.pins import PINS, installed

    checks = []
    for name, wanted in PINS.items():
        seen = installed(name)
        checks.append(
            Check(name=name, ok=seen == wanted, detail=seen, hint=f"pip install {name}=={wanted}")
        )
    return checks


def _compiler() -> Check:
    from htvm.host.compiler import find_compiler

    try:
        found = find_compiler()
    except HtvmError as error:
        return Check(name="C compiler", ok=False, detail=error.message, hint=error.hint)
    return Check(name="C compiler", ok=True, detail=found.version)


def _targets() -> list[Check]:
    from htvm.plugins.probing import try_targets

    return [check for found in try_targets() for check in _of_target(found)]


def _of_target(found: Finding) -> list[Check]:
    name, owner = f"target {found.info.name}", found.info.owner
    if found.error is None:
        detail = "; ".join((owner, *found.notes))
        return [Check(name=name, ok=True, detail=detail), *found.checks]
    error = found.error
    detail = f"{owner}: {error.message}. {error.seen}".rstrip(". ")
    return [Check(name=name, ok=False, detail=detail, hint=error.hint)]
