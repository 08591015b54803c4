"""``htvm verify``: prove the generated C, writing nothing."""

from __future__ import annotations

from typing import Any

import click

from htvm.cli import console, options
from htvm.cli.commands.deploy import show_stage
from htvm.cli.fidelity import accuracy_lines, show_layer_errors
from htvm.cli.status import StatusLine


@click.command("verify")
@options.build
@options.inputs
@options.numerics
@options.calibration
@options.as_json
def command(as_json: bool, **values: Any) -> None:
    """Compile the network in MODEL for a target and compare every layer with the reference.

    With --inputs every layer is also compared with what the network's own runtime computes.
    """
    from htvm.deploying import deploy_request

    wanted = options.verify_options(values, required=True)
    request = options.request(values, verify=wanted)
    with StatusLine() as status:
        result = deploy_request(request, progress=status.before(show_stage), status=status.show)
    check = result.report.verification
    if as_json:
        console.print_json(check.model_dump())
    if check.fidelity is not None:
        show_layer_errors(check.fidelity)
    for line in accuracy_lines(result.report):
        console.print_line(line)
    for note in result.run.notes:
        console.print_note(note)
