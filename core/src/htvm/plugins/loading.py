"""Loads target classes; whatever goes wrong names the distribution it came from."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from typing import TypeVar

from htvm.errors import HtvmError, PluginError, UsageError
from htvm.plugins.guard import cause, plugin_code, reraise_interrupt, short, shown
from htvm.plugins.handshake import CORE, check_api, check_requirements
from htvm.plugins.listing import (
    GROUP,
    TargetInfo,
    installed_targets,
    is_disabled,
    list_targets,
)
from htvm.plugins.switches import DISABLE, disabled_names, normal
from htvm.target.base import API_VERSION, Target

Found = TypeVar("Found")


def find_target(
    name: str, *, wanted_by: TargetInfo | None = None, known: Sequence[TargetInfo] | None = None
) -> TargetInfo:
    """The installed target called ``name``.

    Args:
        name: The id.
        wanted_by: The target that extends it. Of several distributions that bring the id, the one
            this target's distribution requires is meant.
        known: The installed targets, where they have been listed already.

    Raises:
        UsageError: E140, no such target.
        PluginError: E601, two distributions bring it.
    """
    known = list_targets() if known is None else known
    found = [info for info in known if info.name == name]
    if not found:
        raise _unknown(name, sorted({info.name for info in known}))
    if len(found) > 1 and wanted_by is not None:
        required = _required(wanted_by)
        found = [info for info in found if normal(info.distribution) in required] or found
    if len(found) > 1:
        raise PluginError(
            f"target {name!r} is brought by several distributions",
            code="E601",
            seen=", ".join(info.owner for info in found),
            accepted="one distribution for each target",
            hint=f"pip uninstall one of them, or {DISABLE}={found[0].distribution}",
        )
    return found[0]


def _required(info: TargetInfo) -> frozenset[str]:
    """Names of the distributions a target's distribution requires, in normal form."""
    from packaging.requirements import InvalidRequirement, Requirement

    names = set()
    for text in info.requires:
        try:
            names.add(normal(Requirement(text).name))
        except InvalidRequirement:
            continue
    return frozenset(names)


def _unknown(name: str, known: list[str]) -> UsageError:
    off = disabled_names()
    if any(info.name == name and is_disabled(info, off) for info in installed_targets()):
        return UsageError(
            f"target {name!r} is disabled",
            code="E140",
            seen=f"{DISABLE} names it or its distribution",
            accepted=", ".join(known) or "none is enabled",
        )
    close = difflib.get_close_matches(name, known, n=1)
    return UsageError(
        f"unknown target {name!r}",
        code="E140",
        seen=name,
        accepted=", ".join(known) or "none is installed",
        hint=f"did you mean {close[0]!r}?" if close else f"pip install htvm-{name}",
    )


def load_target(info: TargetInfo) -> Target:
    """One new instance of an installed target.

    Raises:
        PluginError: E602 it cannot be imported, E603 it is no ``Target`` class, E604 it was
            written for another interface version, E616 or E617 its package cannot be used.
    """
    check_requirements(info)
    if info.entry.endswith(".toml"):
        from htvm.plugins.board import board_target, read_resource

        return board_target(guarded_import(info, lambda: read_resource(info)), info)
    point = EntryPoint(name=info.name, value=info.entry, group=GROUP)
    found: object = guarded_import(info, point.load)
    return make_target(found, info)


def make_target(found: object, info: TargetInfo) -> Target:
    """An instance of what a plug-in gave as its class.

    Raises:
        PluginError: E603 it is no ``Target`` class, E604 it needs another interface version.
    """
    if not (isinstance(found, type) and issubclass(found, Target)):
        raise broken(info, "E603", f"{info.entry} is {shown(found)}", "a class derived from Target")
    check_api(info, found.api_version)
    try:
        with plugin_code():
            made: object = found()
    except BaseException as error:
        reraise_interrupt(error)
        raise broken(info, "E603", cause(error), "a class without arguments") from error
    if not isinstance(made, Target):
        raise broken(info, "E603", f"{info.entry} made a {type(made).__name__}", "a Target")
    return made


def guarded_import(info: TargetInfo, read: Callable[[], Found]) -> Found:
    """What importing gives, with all a plug-in can raise turned into an error that names it.

    Raises:
        PluginError: E602.
    """
    try:
        with plugin_code():
            return read()
    except BaseException as error:
        reraise_interrupt(error)
        raise _import_failed(info, error) from error


def _import_failed(info: TargetInfo, error: BaseException) -> PluginError:
    """E602, with the way out where the module needs a name that this htvm does not have."""
    if isinstance(error, ImportError) and error.name == "htvm.api":
        wanted = f"a name of the plug-in interface {API_VERSION}"
        hint = f"pip install --upgrade {CORE} {info.distribution}"
        return broken(info, "E602", cause(error), wanted, hint)
    if isinstance(error, HtvmError):
        return broken(info, "E602", short(f"{error.message}: {error.seen}"), "an import")
    return broken(info, "E602", cause(error), "a module that can be imported")


def broken(info: TargetInfo, code: str, seen: str, accepted: str, hint: str = "") -> PluginError:
    """An error that names a target, its distribution and its version."""
    return PluginError(
        f"target {info.name!r} of {info.owner} cannot be used",
        code=code,
        seen=seen,
        accepted=accepted,
        hint=hint or f"pip install --upgrade {info.distribution}",
    )
