"""Looks a plug-in's source code over: hook names, their arguments, the interface version."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from htvm import hookspecs
from htvm.errors import PluginError
from htvm.plugins.deprecation import RENAMED
from htvm.plugins.handshake import check_api
from htvm.plugins.listing import TargetInfo
from htvm.testing.outcome import Fault

_PREFIX = "htvm_"


def hooks() -> Mapping[str, tuple[str, ...]]:
    """Every hook with its arguments."""
    return {
        name: tuple(inspect.signature(function).parameters)
        for name, function in vars(hookspecs).items()
        if name.startswith(_PREFIX) and inspect.isfunction(function)
    }


@dataclass(frozen=True, kw_only=True)
class Source:
    """A Python file.

    Attributes:
        text: What it holds.
        shown: Its name in messages.
    """

    text: str
    shown: str

    def fault(self, line: int, what: str, subject: str = "hooks") -> Fault:
        """Something wrong at a line."""
        return Fault(subject=subject, what=what, where=f"{self.shown}:{line}")


def source_faults(source: Source, info: TargetInfo) -> tuple[Fault, ...]:
    """Everything wrong with the target classes of a file."""
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        return (source.fault(line, f"is not Python: {error}", "source"),)
    found: list[Fault] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and is_target(node):
            found += _class_faults(node, source, info)
    return tuple(found)


def is_target(node: ast.ClassDef) -> bool:
    """Whether a class derives from something called Target, or has hooks."""
    bases = {_last_name(base) for base in node.bases}
    return "Target" in bases or any(_is_hook(item) for item in node.body)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_hook(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
        _last_name(decorator) == "hookimpl" for decorator in node.decorator_list
    )


def _class_faults(node: ast.ClassDef, source: Source, info: TargetInfo) -> Iterator[Fault]:
    methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
    for name, count in Counter(method.name for method in methods).items():
        if count > 1:
            last = [method for method in methods if method.name == name][-1]
            yield source.fault(last.lineno, f"{name} is defined {count} times; the last one counts")
    for item in node.body:
        if isinstance(item, ast.AsyncFunctionDef) and item.name.startswith(_PREFIX):
            yield source.fault(item.lineno, f"{item.name} is async; hooks are plain functions")
    for method in methods:
        yield from _method_faults(method, source)
    yield from _version_faults(node, source, info)


def _method_faults(method: ast.FunctionDef, source: Source) -> Iterator[Fault]:
    known = hooks()
    old = {entry.old for entry in RENAMED}
    if not _is_hook(method):
        if method.name.startswith(_PREFIX):
            yield source.fault(
                method.lineno, f"{method.name} lacks @hookimpl, so it is never called"
            )
        return
    if method.name not in known:
        if method.name not in old:
            what = f"{method.name} is no hook{_guess(method.name, known)}"
            yield source.fault(method.lineno, what)
        return
    arguments = method.args
    if arguments.vararg or arguments.kwarg:
        what = f"{method.name} takes any arguments; hooks get those they name"
        yield source.fault(method.lineno, what)
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    for name in names[1:]:
        if name not in known[method.name] and name not in old:
            has = ", ".join(known[method.name]) or "none"
            what = f"{method.name} has no argument {name!r}{_guess(name, known[method.name])}"
            yield source.fault(method.lineno, f"{what}; it has {has}")


def _guess(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f": did you mean {close[0]!r}?" if close else ""


def _version_faults(node: ast.ClassDef, source: Source, info: TargetInfo) -> Iterator[Fault]:
    for name, value in _assigned(node):
        if name == "api_version" and isinstance(value, ast.Constant):
            try:
                check_api(info, value.value)
            except PluginError as error:
                what = f"api_version: {error.seen}, there is {error.accepted}"
                yield source.fault(value.lineno, what, "version")
        if name == "extends" and not isinstance(value, ast.Tuple | ast.Name | ast.Attribute):
            what = "extends has to be a tuple of ids, such as ('cpu',)"
            yield source.fault(value.lineno, what, "extends")


def _assigned(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and item.value is not None:
            yield _last_name(item.target), item.value
        elif isinstance(item, ast.Assign):
            for target in item.targets:
                yield _last_name(target), item.value
