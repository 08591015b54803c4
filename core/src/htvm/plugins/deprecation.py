"""Lets plug-ins go on that use a name the interface has since given up, and says so.

When a hook or an argument is renamed, an entry in :data:`RENAMED` keeps the old name working for
every plug-in of the same major interface version. The plug-in is adapted when a session opens, and
the user sees a note that names the plug-in and the version in which the old name goes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType, MethodType, SimpleNamespace
from typing import Any


class HtvmDeprecation(FutureWarning):
    """A plug-in uses something that a coming version of the plug-in interface no longer has."""


@dataclass(frozen=True, kw_only=True)
class Renamed:
    """A name of the plug-in interface that was changed.

    Attributes:
        hook: The hook's name today.
        old: The name given up: of the hook, or of one of its arguments.
        new: What it is today.
        since: Interface version that brought the new name.
        gone_in: Interface version that will no longer know the old one.
    """

    hook: str
    old: str
    new: str
    since: str
    gone_in: str

    @property
    def is_hook(self) -> bool:
        """Whether it is the hook that was renamed, and not an argument."""
        return self.new == self.hook

    def note(self, owner: str) -> str:
        """What the user is told about a plug-in that uses the old name."""
        what = "hook" if self.is_hook else f"argument of {self.hook},"
        return (
            f"plug-in {owner} uses {what} {self.old!r}, called {self.new!r} since plug-in "
            f"interface {self.since}; interface {self.gone_in} will not know the old name"
        )


RENAMED: tuple[Renamed, ...] = ()
"""Every old name this version still takes."""


def adapt(plugin: object, owner: str, renamed: Sequence[Renamed] = RENAMED) -> object:
    """The plug-in with today's names; itself if it uses no old one.

    Args:
        plugin: An object with hook implementations.
        owner: How notes name it.
        renamed: The names given up.
    """
    hooks = _implementations(plugin) if renamed else {}
    adapted = {}
    for name, method in hooks.items():
        today = _renamed_hook(name, owner, renamed)
        adapted[today] = _renamed_arguments(today, method, owner, renamed)
    same = all(hooks.get(name) is method for name, method in adapted.items())
    return plugin if same else SimpleNamespace(**adapted)


def _implementations(plugin: object) -> dict[str, Callable[..., Any]]:
    from htvm.hookspecs import PROJECT

    named = ((name, getattr(plugin, name)) for name in dir(plugin) if not name.startswith("__"))
    return {name: method for name, method in named if hasattr(method, f"{PROJECT}_impl")}


def _renamed_hook(name: str, owner: str, renamed: Sequence[Renamed]) -> str:
    for entry in renamed:
        if entry.is_hook and entry.old == name:
            warnings.warn(entry.note(owner), HtvmDeprecation, stacklevel=2)
            return entry.new
    return name


def _renamed_arguments(
    hook: str, method: Callable[..., Any], owner: str, renamed: Sequence[Renamed]
) -> Callable[..., Any]:
    """The implementation under today's argument names."""
    function = getattr(method, "__func__", method)
    if not isinstance(function, FunctionType):
        return method
    declared = function.__code__.co_varnames[: function.__code__.co_argcount]
    used = {
        entry.old: entry
        for entry in renamed
        if not entry.is_hook and entry.hook == hook and entry.old in declared
    }
    if not used:
        return method
    for entry in used.values():
        warnings.warn(entry.note(owner), HtvmDeprecation, stacklevel=2)
    made = _with_names(function, {old: entry.new for old, entry in used.items()})
    return MethodType(made, method.__self__) if isinstance(method, MethodType) else made


def _with_names(function: FunctionType, new: Mapping[str, str]) -> FunctionType:
    """The same function with some of its local names changed.

    A wrapper would not do: pluggy looks through wrappers for the names of the arguments.
    """
    code = function.__code__
    changed = code.replace(
        co_varnames=tuple(new.get(name, name) for name in code.co_varnames),
        co_cellvars=tuple(new.get(name, name) for name in code.co_cellvars),
    )
    made = FunctionType(
        changed,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    made.__dict__.update(function.__dict__)
    made.__qualname__ = function.__qualname__
    return made
