"""The page of hooks: what each is for, its arguments, and an implementation that is tested."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from htvm import hookspecs
from reference.markdown import fenced, page

EXAMPLES = Path(__file__).parent / "mini"
"""A target whose modules are the examples; named by hook."""

_INTRODUCTION = """
A hook is a method of the target's class, marked `@hookimpl`. It takes those of the arguments below
that it needs, by name and in any order, so a hook that gains an argument breaks no plug-in.

The examples are the modules of one small target, a host with a unit that multiplies a vector by a
matrix. They are tested together: `htvm deploy examples/digits/digits.onnx -t docs/reference/mini`,
in a clone of htvm, runs the network's dense layer on that unit and verifies it bit by bit.
"""


def hooks_page() -> str:
    """Every hook, in the order a build asks them."""
    lines = [
        "# Hooks",
        "",
        inspect.cleandoc(hookspecs.__doc__ or ""),
        "",
        _INTRODUCTION.strip(),
        "",
    ]
    for name, function in hooks().items():
        signature = inspect.signature(function)
        arguments = "".join(f"\n    {argument}," for argument in signature.parameters.values())
        head = f"{name}({arguments}\n)" if arguments else f"{name}()"
        lines += [
            f"## {name}",
            "",
            *fenced(f"{head} -> {signature.return_annotation}".replace("'", ""), "text"),
            inspect.cleandoc(function.__doc__ or ""),
            "",
            *fenced(example(name), "python"),
        ]
    return page(lines)


def hooks() -> Mapping[str, Callable[..., object]]:
    """Every hook by name."""
    return {
        name: value
        for name, value in vars(hookspecs).items()
        if name.startswith("htvm_") and inspect.isfunction(value)
    }


def example(name: str) -> str:
    """The source of a hook's example."""
    return (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
