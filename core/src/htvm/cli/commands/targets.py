"""``htvm targets``: what is installed; with ``-v``, also what it is and whether it works."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from htvm.cli import console, options

if TYPE_CHECKING:
    from htvm.plugins.listing import TargetInfo
    from htvm.plugins.probing import Finding


@click.command("targets")
@click.option("-v", "--verbose", is_flag=True, help="Load each target in a process of its own.")
@options.as_json
def command(as_json: bool, verbose: bool) -> None:
    """List the installed targets, broken ones with cause and fix.

    Without -v only package metadata is read.
    """
    from htvm.plugins.listing import installed_targets, list_targets
    from htvm.plugins.probing import Finding, announced_fault, require_sound, try_targets
    from htvm.plugins.switches import strict

    if verbose or strict():
        findings = try_targets()
    else:
        known = list_targets()
        findings = tuple(Finding(info=info, error=announced_fault(info, known)) for info in known)
    enabled = {finding.info for finding in findings}
    disabled = [info for info in installed_targets() if info not in enabled]
    if as_json:
        console.print_json(_document(findings, disabled))
    else:
        _show(findings, disabled)
    if strict():
        require_sound(findings)


def _document(findings: Iterable[Finding], disabled: Iterable[TargetInfo]) -> dict[str, object]:
    rows = []
    for found in findings:
        error = found.error.to_json() if found.error else None
        more = {"about": found.about, "error": error, "notes": list(found.notes)}
        rows.append({**_row(found.info), **more})
    return {"targets": rows, "disabled": [_row(info) for info in disabled]}


def _row(info: TargetInfo) -> dict[str, object]:
    return {"name": info.name, "distribution": info.distribution, "version": info.version}


def _show(findings: tuple[Finding, ...], disabled: list[TargetInfo]) -> None:
    if not findings:
        console.print_note("no target is installed; try: pip install htvm-cpu")
    else:
        columns = (("target", False), ("distribution", False), ("version", False), ("", False))
        rows = (
            (*_row(one.info).values(), "broken" if one.error else one.about) for one in findings
        )
        texts = (tuple(str(cell) for cell in row) for row in rows)
        console.output().print(console.table(columns, texts))
    for found in findings:
        if found.error:
            console.print_fault(f"{found.info.name} of {found.info.owner}", found.error)
        for note in found.notes:
            console.print_note(note)
    for info in disabled:
        console.print_note(f"{info.name} of {info.owner} is disabled by HTVM_DISABLE_PLUGINS")
