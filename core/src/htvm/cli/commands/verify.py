"""``htvm verify``: prove the generated C, writing nothing."""

from __future__ import annotations

from typing import Any

import click

from htvm.cli import console, options
from htvm.cli.commands.deploy import accuracy_lines, show_stage


@click.command("verify")
@options.build
@options.inputs
@options.as_json
def command(as_json: bool, **values: Any) -> None:
    """Compile the network in MODEL for a target and compare every layer with the reference."""
    from htvm.deploying import deploy_request

    wanted = options.verify_options(values, required=True)
    result = deploy_request(options.request(values, verify=wanted), progress=show_stage)
    if as_json:
        console.print_json(result.report.verification.model_dump())
    for line in accuracy_lines(result.report):
        console.print_line(line)
    for note in result.run.notes:
        console.print_note(note)
