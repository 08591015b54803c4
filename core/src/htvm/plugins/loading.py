"""Loads target classes; whatever goes wrong names the distribution it came from."""

from __future__ import annotations

import difflib
from importlib.metadata import EntryPoint

from htvm.errors import PluginError, UsageError
from htvm.plugins.listing import GROUP, TargetInfo, list_targets
from htvm.target.base import API_VERSION, Target


def find_target(name: str) -> TargetInfo:
    """The installed target called ``name``.

    Raises:
        UsageError: E140, no such target.
        PluginError: E601, two distributions bring it.
    """
    known = list_targets()
    found = [info for info in known if info.name == name]
    if not found:
        raise _unknown(name, sorted({info.name for info in known}))
    if len(found) > 1:
        raise PluginError(
            f"target {name!r} is brought by several distributions",
            code="E601",
            seen=", ".join(f"{info.distribution} {info.version}" for info in found),
            accepted="one distribution for each target",
            hint=f"pip uninstall {found[0].distribution}",
        )
    return found[0]


def _unknown(name: str, known: list[str]) -> UsageError:
    close = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {close[0]!r}? otherwise " if close else ""
    return UsageError(
        f"unknown target {name!r}",
        code="E140",
        seen=name,
        accepted=", ".join(known) or "none is installed",
        hint=f"{guess}pip install htvm-{name}",
    )


def load_target(info: TargetInfo) -> Target:
    """One new instance of a target's class.

    Raises:
        PluginError: E602 it cannot be imported, E603 it is no ``Target`` class, E604 it was
            written for another interface version.
    """
    found = _import(info)
    if not (isinstance(found, type) and issubclass(found, Target)):
        raise _broken(info, "E603", f"{info.entry} is {found!r}", "a class derived from Target")
    if found.api_version != API_VERSION:
        seen = f"written for plug-in interface {found.api_version}"
        raise _broken(info, "E604", seen, f"plug-in interface {API_VERSION}")
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise _broken(info, "E603", _cause(error), "a class without arguments") from error


def _import(info: TargetInfo) -> object:
    point = EntryPoint(name=info.name, value=info.entry, group=GROUP)
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        raise _broken(info, "E602", _cause(error), "a module that can be imported") from error


def _broken(info: TargetInfo, code: str, seen: str, accepted: str) -> PluginError:
    return PluginError(
        f"target {info.name!r} of {info.distribution} {info.version} cannot be used",
        code=code,
        seen=seen,
        accepted=accepted,
        hint=f"pip install --upgrade {info.distribution}",
    )


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
