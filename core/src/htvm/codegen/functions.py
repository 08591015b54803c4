"""The functions of the layers: one for all layers that agree in every character."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from htvm.codegen.naming import SYSTEM_HEADERS
from htvm.codegen.text import comment, indented
from htvm.dispatch.plan import Dispatch, LayerStep
from htvm.schedule.kernels import Kernel, Schedule


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a layer's function."""

    type: str
    name: str

    @property
    def text(self) -> str:
        """As in the function's head."""
        return f"{self.type}*{self.name}"


@dataclass(frozen=True, kw_only=True)
class Function:
    """A layer's function.

    Attributes:
        name: Its C name.
        parameters: In order.
        body: Its statements, indented.
        comment: The comment above it.
        users: Names of the steps that call it.
    """

    name: str
    parameters: tuple[Parameter, ...]
    body: str
    comment: str
    users: tuple[str, ...]

    @property
    def head(self) -> str:
        """The function's head, broken into lines where it is long."""
        start = f"static void {self.name}("
        texts = [parameter.text for parameter in self.parameters]
        flat = start + ", ".join(texts) + ")"
        return flat if len(flat) <= 100 else start + "\n    " + ",\n    ".join(texts) + ")"


@dataclass(frozen=True, kw_only=True, eq=False)
class Functions:
    """All functions, what they need, and which one each step calls.

    Attributes:
        functions: In order of first use.
        helpers: Helper texts, each once, in order of first use.
        includes: Headers, sorted.
        callees: Step name -> function name.
    """

    functions: tuple[Function, ...]
    helpers: tuple[str, ...]
    includes: tuple[str, ...]
    callees: Mapping[str, str]


def collect(schedule: Schedule) -> Functions:
    """The functions of every step."""
    found: dict[tuple[object, ...], list[Kernel]] = {}
    for kernel in schedule.kernels:
        code = kernel.code
        key = (parameters(schedule.dispatch, kernel), code.body, code.helpers, code.includes)
        found.setdefault(key, []).append(kernel)
    functions = [_function(schedule.dispatch, group) for group in found.values()]
    codes = [kernel.code for kernel in schedule.kernels]
    return Functions(
        functions=tuple(functions),
        helpers=tuple(dict.fromkeys(text.strip() for code in codes for text in code.helpers)),
        includes=tuple(sorted({_quoted(name) for code in codes for name in code.includes})),
        callees={user: function.name for function in functions for user in function.users},
    )


def _quoted(name: str) -> str:
    """A header as it stands in an include; the system's in angle brackets."""
    if name[0] in '<"':
        return name
    return f"<{name}>" if name.removesuffix(".h") in SYSTEM_HEADERS else f'"{name}"'


def parameters(plan: Dispatch, kernel: Kernel) -> tuple[Parameter, ...]:
    """The parameters of a step's function."""
    step = kernel.step
    inputs = [plan.values[name].tensor.dtype.c_name for name in step.inputs]
    result = [Parameter(type=f"const {kind} ", name=f"in{at}") for at, kind in enumerate(inputs)]
    result.append(Parameter(type=f"{plan.values[step.output].tensor.dtype.c_name} ", name="out"))
    if isinstance(step, LayerStep) and step.tiling.scratch_bytes:
        result.append(Parameter(type="uint8_t ", name="scratch"))
    result += [
        Parameter(type=f"const {item.dtype.c_name} ", name=item.name) for item in kernel.constants
    ]
    return tuple(result)


def _function(plan: Dispatch, kernels: list[Kernel]) -> Function:
    first = kernels[0]
    own = parameters(plan, first)
    body = first.code.body.strip("\n")
    unused = [
        f"(void){parameter.name};"
        for parameter in own
        if not re.search(rf"\b{re.escape(parameter.name)}\b", body)
    ]
    users = tuple(kernel.step.name for kernel in kernels)
    lines = [*_about(plan, kernels), f"Used by: {', '.join(users)}"]
    return Function(
        name=f"layer_{first.step.name}",
        parameters=own,
        body=indented("\n".join([*unused, body])),
        comment=comment(lines),
        users=users,
    )


def _about(plan: Dispatch, kernels: list[Kernel]) -> list[str]:
    """What a function does: its pattern, the shapes if all its users agree, the plug-in's words."""
    first = kernels[0]
    own = first.code.comment.splitlines()
    if not isinstance(first.step, LayerStep):
        return own
    own = own or [first.step.tiling.summary]
    own = [line.removeprefix(f"{first.step.layer.pattern}: ") for line in own]
    shapes = {_shapes(plan, kernel) for kernel in kernels}
    head = f"{first.step.layer.pattern} on {first.step.engine}"
    return [": ".join((head, *shapes)) if len(shapes) == 1 else head, *own]


def _shapes(plan: Dispatch, kernel: Kernel) -> str:
    ends = [plan.values[name].tensor for name in (*kernel.step.inputs, kernel.step.output)]
    *inputs, output = (f"{end.dtype} {'x'.join(map(str, end.shape))}" for end in ends)
    return f"{', '.join(inputs)} to {output}"
