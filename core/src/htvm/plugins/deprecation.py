"""Lets plug-ins go on that use a name the interface has since given up, and says so.

When a hook or an argument is renamed, an entry in :data:`RENAMED` keeps the old name working for
every plug-in of the same major interface version. The plug-in is adapted when a session opens, and
the user sees a note that names the plug-in and the version in which the old name goes.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from types import SimpleNamespace
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
    parameters = inspect.signature(method).parameters
    used = {
        entry.old: entry
        for entry in renamed
        if not entry.is_hook and entry.hook == hook and entry.old in parameters
    }
    for entry in used.values():
        warnings.warn(entry.note(owner), HtvmDeprecation, stacklevel=2)
    today = [
        parameter.replace(name=used[name].new) if name in used else parameter
        for name, parameter in parameters.items()
    ]
    return _with_signature(method, inspect.Signature(today)) if used else method


def _with_signature(method: Callable[..., Any], shape: inspect.Signature) -> Callable[..., Any]:
    """The same function with other names for its arguments, which pluggy passes by position."""

    def call(*values: Any) -> Any:
        return method(*values)

    def wrap(*values: Any) -> Any:
        return (yield from method(*values))

    made = wrap if inspect.isgeneratorfunction(method) else call
    update_wrapper(made, method)
    made.__signature__ = shape  # type: ignore[attr-defined]
    return made
