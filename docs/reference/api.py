"""The page of ``htvm.api``: what it has, from signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import ModuleType

from htvm import api
from reference.markdown import fenced, page

GROUPS: Mapping[str, tuple[str, ...]] = {
    "A target": (
        "API_VERSION",
        "Target",
        "hookimpl",
        "Check",
        "Runner",
        "HtvmDeprecation",
    ),
    "The hardware": ("load_hardware", "Hardware", "Memory", "Engine", "Contract"),
    "Networks and layers": (
        "Layer",
        "Graph",
        "Node",
        "Tensor",
        "constant",
        "Quantization",
        "Origin",
        "DType",
        "Array",
    ),
    "Ops": ("ops", "requant"),
    "Patterns": (
        "Pattern",
        "Template",
        "COMPUTED",
        "CONSTANT",
        "ANY",
        "Constraint",
        "contract_constraints",
        "window_constraint",
        "Rejection",
    ),
    "Layouts": (
        "Layout",
        "Axis",
        "row_major",
        "channels_first",
        "channels_last",
        "channel_blocks",
        "strided",
        "Offers",
    ),
    "Tilings": (
        "Tiling",
        "Cost",
        "ProgramTiling",
        "ScratchpadEngine",
        "window_tilings",
        "WindowEngine",
        "WindowTile",
        "run_tilings",
        "RunEngine",
        "window",
        "Window",
        "Reach",
        "grids",
        "Grid",
        "Ranges",
        "cheapest",
        "tile_label",
    ),
    "Packing": ("folded", "Folded", "Unfoldable", "fold", "Constant"),
    "Tile programs": (
        "pipelined",
        "Work",
        "Queues",
        "Program",
        "Buffer",
        "Tile",
        "Step",
        "Transfer",
        "Launch",
        "Wait",
        "Span",
        "slab",
        "span_bytes",
        "span_runs",
        "box_cycles",
        "scratchpad_bytes",
        "local_address",
        "timeline",
    ),
    "C": (
        "Driver",
        "LayerCode",
        "emit_program",
        "Call",
        "struct_call",
        "transfer_call",
        "Runtime",
        "emulation_support",
        "hardware_header",
        "lower_tail",
        "TailCode",
    ),
    "Errors": (
        "HtvmError",
        "UsageError",
        "UnsupportedModelError",
        "DoesNotFitError",
        "MismatchError",
        "ToolError",
        "PluginError",
        "InternalError",
    ),
}
"""Every name of the interface, by what it is for."""

VALUES: Mapping[str, str] = {
    "API_VERSION": f"The version of this interface: `{api.API_VERSION!r}`.",
    "hookimpl": "Marks a method as the target's answer to the hook of its name. "
    "`@hookimpl(wrapper=True)` marks a generator that yields once, is sent what the others "
    "answered, and returns what to make of it.",
    "Array": "A numpy array.",
    "Ranges": "Loop name -> its iterations in one tile, as a `range`.",
    "Step": "One of `Transfer`, `Launch` and `Wait`.",
    "COMPUTED": "As an input of a template: a tensor that the network computes, or its input.",
    "CONSTANT": "As an input of a template: a constant.",
    "ANY": "As an input of a template: either.",
}
"""What there is to say of what has no docstring."""

_INTRODUCTION = """
`from htvm import api` is all that a target imports of htvm. This page lists what is in it, by the
order in which a target needs it; [hooks](hooks.md) are the questions it is used to answer, and the
[tutorial](../../tutorial.md) shows it at work. Values are immutable, and classes take their
arguments by name.
"""
_WIDEST = 60
"""Characters of arguments on one line."""
_SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):")
_ROLE = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)`")


def api_page() -> str:
    """The names of the interface with what they are."""
    lines = ["# Interface", "", _INTRODUCTION.strip(), ""]
    for title, names in GROUPS.items():
        lines += [f"## {title}", ""]
        for name in names:
            lines += _entry(name, getattr(api, name))
    return page(lines)


def _entry(name: str, value: object) -> Iterator[str]:
    if isinstance(value, ModuleType):
        yield from _module(name, value)
        return
    yield from (f"### {name}", "")
    if inspect.isclass(value) or inspect.isfunction(value):
        yield from fenced(_head(name, value), "text")
        yield from prose(value)
        if inspect.isclass(value):
            yield from _inherited(value)
            yield from _members(value)
    else:
        yield from (VALUES[name], "")


def _module(name: str, module: ModuleType) -> Iterator[str]:
    """The op classes of a module, under its name."""
    for member, value in vars(module).items():
        own = inspect.isclass(value) and value.__module__ == module.__name__
        if own and not member.startswith("_"):
            yield from _entry(f"{name}.{member}", value)


def _head(name: str, value: Callable[..., object]) -> str:
    """How it is called, an argument to a line where there are many."""
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        arguments = _arguments(signature)
        end = f" -> {signature.return_annotation}"
    else:
        own = fields(value) if is_dataclass(value) else ()
        arguments = [f"{one.name}: {one.type}{_default(one)}" for one in own if one.init]
        end = ""
    inside = ", ".join(arguments)
    if len(inside) > _WIDEST:
        inside = "".join(f"\n    {argument}," for argument in arguments) + "\n"
    return f"{name}({inside}){end}" if arguments or end else name


def _arguments(signature: inspect.Signature) -> list[str]:
    found: list[str] = []
    for one in signature.parameters.values():
        star = "*" if one.kind is one.VAR_POSITIONAL else ""
        if one.kind is one.KEYWORD_ONLY and not any(text.startswith("*") for text in found):
            found.append("*")
        default = "" if one.default is one.empty else f" = {one.default!r}"
        found.append(f"{star}{one.name}: {one.annotation}{default}")
    return found


def _default(field: Field[object]) -> str:
    if field.default is not MISSING:
        return f" = {field.default!r}"
    return " = .." if field.default_factory is not MISSING else ""


def _inherited(value: type) -> Iterator[str]:
    """Which class of the interface it has more attributes from."""
    for base in value.__bases__:
        if base.__name__ in api.__all__:
            yield from (f"Has the attributes of `{base.__name__}` as well.", "")


def _members(value: type) -> Iterator[str]:
    """Public methods and properties of its own, with the first paragraph on each."""
    for name, member in vars(value).items():
        function = getattr(member, "fget", getattr(member, "func", member))
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        call = ""
        if inspect.isfunction(member):
            call = f"({', '.join(_arguments(inspect.signature(function))[1:])})"
        text = " ".join(inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].split())
        yield f"- `.{name}{call}`: {_plain(text)}"
    yield ""


def prose(value: object) -> Iterator[str]:
    """A docstring as Markdown; its sections as lists."""
    inside = False
    for line in inspect.cleandoc(inspect.getdoc(value) or "").split("\n"):
        section = _SECTION.fullmatch(line)
        if section:
            inside = True
            yield from (f"{section[1]}:", "")
        elif inside and re.match(" {4}[^ ]", line):
            name, _, text = line.strip().partition(": ")
            yield f"- `{name}`: {_plain(text)}"
        else:
            yield _plain(line.strip() if not inside else f"  {line.strip()}".rstrip())
    yield ""


def _plain(text: str) -> str:
    return _ROLE.sub(r"``\1``", text)
