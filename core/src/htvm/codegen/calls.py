"""The body of the run function: one call for each step, with what it is."""

from __future__ import annotations

from dataclasses import dataclass

from htvm.codegen.constants import Constants
from htvm.codegen.functions import Functions
from htvm.codegen.places import Places
from htvm.codegen.text import comment_lines
from htvm.dispatch.plan import Dispatch, LayerStep, Value
from htvm.partition.names import shortened
from htvm.schedule.kernels import Kernel, Schedule

_NOTE = 92
"""Characters of a line of a comment inside a function."""
_NAME = 64
"""Characters of a source's name."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One step as it stands in the run function.

    Attributes:
        index: Number of the step.
        notes: Lines of the comment above it.
        text: The call.
        result: Expression for the first byte written.
        bytes: Size of the result.
    """

    index: int
    notes: tuple[str, ...]
    text: str
    result: str
    bytes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class _Names:
    """What the steps of a network are called by."""

    plan: Dispatch
    places: Places
    constants: Constants
    functions: Functions


def collect(
    schedule: Schedule, places: Places, constants: Constants, functions: Functions
) -> tuple[Call, ...]:
    """The calls in execution order."""
    names = _Names(plan=schedule.dispatch, places=places, constants=constants, functions=functions)
    return tuple(_call(index, kernel, names) for index, kernel in enumerate(schedule.kernels))


def _call(index: int, kernel: Kernel, names: _Names) -> Call:
    plan, step = names.plan, kernel.step
    out = plan.values[step.output]
    arguments = [
        _pointer(plan, names.places, plan.values[name], constant=True) for name in step.inputs
    ]
    arguments.append(_pointer(plan, names.places, out, constant=False))
    if isinstance(step, LayerStep) and step.tiling.scratch_bytes:
        arguments.append(f"memory + {names.places.scratch[step.name]}")
    arguments += [names.constants.names[step.name, item.name] for item in kernel.constants]
    callee = names.functions.callees[step.name]
    flat = f"{callee}({', '.join(arguments)});"
    broken = f"{callee}(\n        " + ",\n        ".join(arguments) + ");"
    return Call(
        index=index,
        notes=comment_lines(_notes(index, kernel, plan), width=_NOTE),
        text=flat if len(flat) <= 94 else broken,
        result=_place(plan, names.places, out),
        bytes=out.size_bytes,
    )


def _notes(index: int, kernel: Kernel, plan: Dispatch) -> tuple[str, ...]:
    step = kernel.step
    out = plan.values[step.output]
    shape = "x".join(map(str, out.tensor.shape))
    result = f"{out.tensor.dtype} {shape} as {out.layout.name}, {step.cost.total:,} cycles expected"
    if not isinstance(step, LayerStep):
        source = plan.values[step.source].layout.name
        return f"{index}: {step.name}, copies {source} to another layout", result
    sources = dict.fromkeys(name for node in step.layer.nodes for name in node.source)
    made_of = f"from {', '.join(shortened(name, _NAME) for name in sources)}" if sources else ""
    return (
        f"{index}: {step.name} on {step.engine} ({step.layer.pattern})",
        made_of,
        step.tiling.summary,
        result,
    )


def _pointer(plan: Dispatch, places: Places, value: Value, *, constant: bool) -> str:
    place = _place(plan, places, value)
    if plan.storages[value.buffer].place != "arena":
        return place
    kind = value.tensor.dtype.c_name
    return f"({'const ' if constant else ''}{kind} *)({place})"


def _place(plan: Dispatch, places: Places, value: Value) -> str:
    """Expression for the first byte of a value."""
    role = plan.storages[value.buffer].place
    if role == "arena":
        return f"memory + {places.buffers[value.buffer]}"
    ends = plan.inputs if role == "input" else plan.outputs
    buffers = [plan.values[name].buffer for name in ends]
    return argument(role, buffers.index(value.buffer), len(ends))


def argument(role: str, index: int, count: int) -> str:
    """Name of an argument of the run function: ``input``, or ``input0`` among several."""
    return role if count == 1 else f"{role}{index}"
