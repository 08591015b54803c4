"""``htvm doctor``: whether everything htvm needs is here and works."""

from __future__ import annotations

import platform
import sys

import click

from htvm.cli import console, options
from htvm.errors import HtvmError
from htvm.target.check import Check

_EXIT_FOUND_FAULTS = 6


@click.command("doctor")
@options.as_json
def command(as_json: bool) -> None:
    """Look at Python, TVM, the C compiler and every installed target."""
    checks = [_python(), *_packages(), _compiler(), *_targets()]
    if as_json:
        rows = [{"name": c.name, "ok": c.ok, "detail": c.detail, "hint": c.hint} for c in checks]
        console.print_json({"ok": all(c.ok for c in checks), "checks": rows})
    else:
        for check in checks:
            _show(check)
    if not all(check.ok for check in checks):
        click.get_current_context().exit(_EXIT_FOUND_FAULTS)


def _show(check: Check) -> None:
    mark = "✓" if check.ok else "✗"
    hint = f"\n     try: {check.hint}" if check.hint and not check.ok else ""
    console.output().print(f" {mark} {check.name:<16} {check.detail}{hint}", markup=False)


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
    from htvm.plugins.listing import list_targets
    from htvm.plugins.session import open_session

    checks: list[Check] = []
    for info in list_targets():
        name = f"target {info.name}"
        where = f"{info.distribution} {info.version}"
        try:
            session = open_session(info.name)
            checks += [Check(name=name, ok=True, detail=where), *session.checks()]
        except HtvmError as error:
            detail = f"{where}: {error.message}. {error.seen}".rstrip(". ")
            checks.append(Check(name=name, ok=False, detail=detail, hint=error.hint))
        except Exception as error:  # a faulty plug-in must not hide what is said of the others
            detail = f"{where}: {type(error).__name__}: {error}"
            checks.append(Check(name=name, ok=False, detail=detail))
    return checks
