"""Level 4: what the C computes is what the integer reference computes, to the bit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from htvm.dispatch.plan import ConvertStep
from htvm.errors import HtvmError
from htvm.host.result import Divergence
from htvm.ir.graph import Graph
from htvm.testing.attempts import Attempt, common
from htvm.testing.bench import layer_names
from htvm.testing.checks.check import Check, counted
from htvm.testing.outcome import Fault, Verdict
from htvm.testing.subject import HOST, Run, Subject


def layers(subject: Subject) -> Verdict:
    """Every drawn layer, in every tiling, with random and extreme inputs."""
    faults: list[Fault] = []
    failing: dict[str, list[Attempt]] = defaultdict(list)
    passing: dict[str, list[Attempt]] = defaultdict(list)
    elements = 0
    for run in subject.runs:
        if run.verification is None:
            continue
        attempts = layer_names(run.bench.attempts)
        for layer in run.verification.layers:
            elements += layer.elements
            attempt = attempts.get(layer.name)
            if attempt is not None:
                (failing if layer.mismatches else passing)[attempt.case.pattern.name].append(
                    attempt
                )
        faults += _faults(run)
    ran = sum(len(found) for found in (*failing.values(), *passing.values()))
    if not ran:
        return Verdict(blocked="no layer ran to the end: see the checks of level 3")
    hints = tuple(_hints(failing, passing))
    detail = f"{counted(ran, 'layer')}, {elements:,} elements, {_range(subject)}"
    return Verdict(looked_at=detail, faults=(*hints, *faults))


def _faults(run: Run) -> Iterator[Fault]:
    if run.verification is None:
        return
    attempts = layer_names(run.bench.attempts)
    steps = {kernel.step.name: kernel.step for kernel in run.bench.schedule.kernels}
    wrong = {steps[layer.name].output for layer in run.verification.layers if layer.mismatches}
    first = run.verification.first_divergence
    for layer in run.verification.layers:
        if not layer.mismatches:
            continue
        told = _told(first) if first is not None and first.layer == layer.name else ""
        what = f"{layer.mismatches:,} of {layer.elements:,} elements differ{told}"
        step = steps[layer.name]
        if isinstance(step, ConvertStep):
            if step.source not in wrong:
                name = f"{layer.name}: {what}"
                yield Fault(subject="conversion", what=name, where="htvm_convert")
            continue
        attempt = attempts[layer.name]
        where = "htvm_pack, htvm_emit and the emulation; if the kernel cannot do this, a constraint"
        yield Fault(
            subject=attempt.case.pattern.name,
            what=f"{attempt.about}: {what}",
            where=f"{where} of pattern {attempt.case.pattern.name!r}",
        )


def _told(first: Divergence) -> str:
    index = ", ".join(map(str, first.index))
    again = ", the second time it runs" if first.run == 2 else ""
    return (
        f", the first at [{index}]: {first.seen:g}, the reference has {first.expected:g} "
        f"({first.inputs}{again})"
    )


def _hints(failing: dict[str, list[Attempt]], passing: dict[str, list[Attempt]]) -> Iterator[Fault]:
    """What only the failing layers of a pattern have in common."""
    for name, found in failing.items():
        shared = common((a.layer for a in found), (a.layer for a in passing[name]))
        if shared:
            what = f"{name}: all {len(found)} failing layers and no other have {', '.join(shared)}"
            where = "how the kernel treats exactly that, or a constraint that rules it out"
            yield Fault(subject=name, what=what, where=where)


def _range(subject: Subject) -> str:
    """The shifts tried, to show how much of the contract was."""
    shifts = [
        int(value)
        for case in subject.accepted
        for node in case.graph.nodes
        for value in getattr(node.op, "shift", ())
    ]
    return f"shifts {min(shifts)} to {max(shifts)}" if shifts else "no shifts"


def networks(subject: Subject) -> Verdict:
    """Whole networks, dispatched as a user's are."""
    graphs = tuple(subject.small_networks)
    return _deployed(subject, graphs)


def given(subject: Subject) -> Verdict:
    """The networks named on the command line or by the test class."""
    if not subject.networks:
        return Verdict(absent="no network was given: --network FILE")
    return _deployed(subject, subject.networks)


def _deployed(subject: Subject, graphs: Iterable[Graph]) -> Verdict:
    faults, done, offloaded, total = [], [], 0, 0
    for graph in graphs:
        done.append(graph.name)
        try:
            result = subject.deployed(graph)
        except HtvmError as error:
            parts = (f"{error.message} [HTVM-{error.code}]", error.seen, error.hint)
            faults.append(_about(graph, ": ".join(part for part in parts if part)))
            continue
        total += len(result.plan.layers)
        offloaded += sum(step.engine in subject.engines for step in result.plan.layers)
        first = result.verification.first_divergence
        if first is not None:
            what = f"{result.verification.mismatches:,} elements differ, in layer {first.layer}"
            faults.append(_about(graph, f"{what}{_told(first)}"))
    engines = ", ".join(subject.engines)
    detail = f"{', '.join(done)}: {offloaded} of {total} layers on {engines}"
    return Verdict(looked_at=detail, faults=tuple(faults))


def _about(graph: Graph, what: str) -> Fault:
    where = f"the layer named; the host takes what the engines leave if the target extends {HOST!r}"
    return Fault(subject=graph.name, what=f"network {graph.name}: {what}", where=where)


def _checks() -> Iterator[Check]:
    for name, title, run in (
        ("layers", "drawn layers are bit-exact in every tiling", layers),
        ("networks", "small networks are bit-exact", networks),
        ("given", "the networks given are bit-exact", given),
    ):
        yield Check(name=f"numerics.{name}", level=4, title=title, where="the kernels", run=run)


CHECKS = tuple(_checks())
