"""Level 5: the board's own test passes on the target's simulator or board."""

from __future__ import annotations

import tempfile
from pathlib import Path

from htvm.codegen.write import write_project
from htvm.errors import HtvmError
from htvm.testing.checks.check import Check, counted
from htvm.testing.outcome import Fault, Verdict
from htvm.testing.subject import Subject


def runs(subject: Subject) -> Verdict:
    """Build the golden test of every small network with the device files, and run it."""
    runner = subject.session.runner()
    if runner is None:
        return Verdict(absent="the target answers no htvm_runner")
    if runner.missing:
        return Verdict(absent=f"{runner.name} is not here: {runner.missing}")
    faults, count = [], 0
    for graph in subject.small_networks:
        count += 1
        try:
            project = subject.deployed(graph).project
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder) / "project"
                write_project(project.files, place)
                said = runner.run(place)
        except HtvmError as error:
            faults.append(_fault(graph.name, f"{error.message}: {error.seen}", runner.name))
            continue
        except Exception as error:
            faults.append(_fault(graph.name, f"{type(error).__name__}: {error}", runner.name))
            continue
        if f"PASS {project.name}" not in said:
            last = (said.strip().splitlines() or ["nothing"])[-1]
            faults.append(_fault(graph.name, f"it printed {last!r}, not PASS", runner.name))
    return Verdict(looked_at=f"{counted(count, 'network')} on {runner.name}", faults=tuple(faults))


def _fault(name: str, what: str, runner: str) -> Fault:
    where = "the device files of htvm_runtime, then htvm_runner"
    return Fault(subject="runner", what=f"network {name} on {runner}: {what}", where=where)


CHECKS = (
    Check(
        name="runner.networks",
        level=5,
        title="the golden tests pass on the simulator or board",
        where="htvm_runner",
        run=runs,
    ),
)
