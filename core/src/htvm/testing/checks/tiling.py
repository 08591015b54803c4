"""Level 2: tilings fit, cover, cost what they should, and are the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import numpy as np

from htvm.errors import PluginError
from htvm.ir.layout import Layout
from htvm.schedule.check import check_program
from htvm.target.layer import Cost, Tiling
from htvm.testing.attempts import fault_of, offers_of, programs
from htvm.testing.cases import Case
from htvm.testing.checks.check import Check, counted
from htvm.testing.outcome import Verdict
from htvm.testing.subject import Subject


def answers(subject: Subject) -> Verdict:
    """Accepted layers are tiled, packed, scheduled and written."""
    found = subject.answers
    faults = [*found.faults, *subject.tight_answers.faults]
    fitting = {case.pattern.name for case, _ in found.tilings}
    for case, reason in found.misfits:
        if case.pattern.name not in fitting:
            what = f"{case.name} is taken, but no tiling fits: {reason}"
            faults.append(case.fault(what, "htvm_tilings"))
    parts = (
        counted(len(subject.accepted), "layer"),
        f"{sum(len(tilings) for _, tilings in found.tilings)} tilings",
        f"{len(found.misfits)} that fit no memory",
    )
    return Verdict(looked_at=", ".join(parts), faults=tuple(faults))


def layouts(subject: Subject) -> Verdict:
    """Layouts place every element in the buffer, and no two in one place."""
    faults = []
    for case, tilings in subject.answers.tilings:
        for tiling in tilings:
            fault = _layout_fault(case, tiling)
            if fault:
                faults.append(case.fault(f"{case.name}: {fault}", "layouts of htvm_tilings"))
                break
    return Verdict(looked_at=_layers(subject), faults=tuple(faults))


def _layout_fault(case: Case, tiling: Tiling) -> str:
    if case.layer is None:
        return ""
    if len(tiling.inputs) != len(case.layer.inputs):
        return f"{len(tiling.inputs)} input layouts for {len(case.layer.inputs)} inputs"
    tensors = (*case.layer.inputs, case.layer.output)
    for tensor, layout in zip(tensors, (*tiling.inputs, tiling.output), strict=True):
        fault = misplaced(layout, tensor.shape)
        if fault:
            return f"layout {layout.name!r} of {tensor.name} {fault}"
    return ""


def misplaced(layout: Layout, shape: tuple[int, ...]) -> str:
    """What is wrong with a layout; empty if nothing is."""
    if len(layout.axes) != len(shape):
        return f"has {len(layout.axes)} axes, the tensor {len(shape)}"
    places = layout.addresses(shape).reshape(-1)
    if places.size and (places.min() < 0 or places.max() >= layout.size):
        return f"places elements at {places.min()}..{places.max()} of {layout.size}"
    if np.unique(places).size != places.size:
        return "places two elements at one address"
    return ""


def fits(subject: Subject) -> Verdict:
    """Buffers lie inside their memories, at their memories' alignment."""
    faults, count = [], 0
    for attempt, program in programs(subject.attempts):
        memories = attempt.session.hardware.memories
        for buffer in program.buffers.values():
            count += 1
            memory = memories.get(buffer.memory)
            end = buffer.offset_bytes + buffer.size_bytes
            what = ""
            if memory is None:
                what = f"buffer {buffer.name} is in {buffer.memory!r}, which the chip has not"
            elif buffer.role != "local":
                continue
            elif not 0 <= buffer.offset_bytes <= end <= memory.size_bytes:
                what = f"buffer {buffer.name} ends at byte {end:,} of {memory.name}, "
                what += f"which has {memory.size_bytes:,}"
            elif buffer.offset_bytes % memory.align_bytes:
                what = f"buffer {buffer.name} starts at byte {buffer.offset_bytes} of "
                what += f"{memory.name}, which is aligned to {memory.align_bytes}"
            if what:
                faults.append(attempt.fault(what, "htvm_tilings, htvm_schedule"))
                break
    if not count:
        return Verdict(absent="no engine under test has tile programs")
    return Verdict(looked_at=counted(count, "buffer"), faults=tuple(faults))


def covers(subject: Subject) -> Verdict:
    """Programs read nothing too early, and write every element of the output once."""
    faults, count = [], 0
    for attempt, program in programs(subject.attempts):
        memories = attempt.session.hardware.memories
        count += len(program.tiles)
        try:
            check_program(
                attempt.case.name, program, attempt.layer.output, attempt.tiling.output, memories
            )
        except PluginError as error:
            faults.append(attempt.fault(error.seen, "htvm_schedule"))
        except Exception as error:
            faults.append(attempt.fault(f"{type(error).__name__}: {error}", "htvm_schedule"))
    if not count:
        return Verdict(absent="no engine under test has tile programs")
    return Verdict(looked_at=counted(count, "tile"), faults=tuple(faults))


def steady(subject: Subject) -> Verdict:
    """A second session gives the same tilings and C."""
    session = subject.fresh_session()
    faults = []
    first = {attempt.layer.name: attempt for attempt in subject.answers.attempts}
    for case, tilings in subject.answers.tilings:
        if case.layer is None:
            continue
        try:
            again = session.tilings(case.layer, offers_of(case.layer))
            changed = _changed(tilings, again)
            attempt = first.get(case.layer.name)
            if not changed and attempt is not None:
                constants = session.pack(case.layer, again[0])
                program = session.schedule(case.layer, again[0], constants)
                code = session.emit(case.layer, again[0], constants, program)
                changed = "" if code == attempt.code else "the C is another"
        except Exception as error:
            faults.append(fault_of(error, case, "htvm_tilings, asked a second time"))
            continue
        if changed:
            what = f"{case.name} asked twice: {changed}"
            faults.append(case.fault(what, "htvm_tilings: sets, hashes, random choices, state"))
    return Verdict(looked_at=_layers(subject), faults=tuple(faults))


def _changed(first: tuple[Tiling, ...], second: tuple[Tiling, ...]) -> str:
    if len(first) != len(second):
        return f"{len(first)} tilings, then {len(second)}"
    for one, other in zip(first, second, strict=True):
        for field in ("summary", "tiles", "cost", "inputs", "output", "scratch_bytes"):
            if getattr(one, field) != getattr(other, field):
                return f"{field} {getattr(one, field)}, then {getattr(other, field)}"
    return ""


def cost_fault(cost: Cost) -> str:
    """What is wrong with a cost; empty if nothing is."""
    for name in ("total", "compute", "transfer", "overhead"):
        value: object = getattr(cost, name)
        if not isinstance(value, int | float) or not isfinite(value):
            return f"{name} is {value!r}"
        if value < 0 or (name == "total" and value == 0):
            return f"{name} is {value}"
        if not isinstance(value, int):
            return f"{name} is {value!r}, no whole number"
    parts = cost.compute + cost.transfer + cost.overhead
    return f"total {cost.total} is more than its parts, {parts}" if cost.total > parts else ""


def costs(subject: Subject) -> Verdict:
    """Costs are whole, positive, and no more than their parts."""
    faults = []
    for case, tilings in (*subject.answers.tilings, *subject.tight_answers.tilings):
        found = next(filter(None, (cost_fault(tiling.cost) for tiling in tilings)), "")
        if found:
            faults.append(case.fault(f"{case.name}: cost {found}", "htvm_cost, htvm_tilings"))
    return Verdict(looked_at=_layers(subject), faults=tuple(faults))


def _layers(subject: Subject) -> str:
    tilings = sum(len(tilings) for _, tilings in subject.answers.tilings)
    return f"{counted(len(subject.answers.tilings), 'layer')}, {counted(tilings, 'tiling')}"


def _checks() -> Iterator[Check]:
    for name, title, where, run in (
        ("answers", "every accepted layer is tiled and written as C", "htvm_tilings", answers),
        ("layouts", "layouts place every element apart, inside the buffer", "layouts", layouts),
        ("fits", "buffers fit their memories and alignment", "htvm_schedule", fits),
        ("covers", "every output element is written once, nothing read too early", "", covers),
        ("costs", "costs are positive whole numbers", "htvm_cost", costs),
        ("steady", "the same layer gets the same tilings and C", "htvm_tilings", steady),
    ):
        yield Check(name=f"tiling.{name}", level=2, title=title, where=where, run=run)


CHECKS = tuple(_checks())
