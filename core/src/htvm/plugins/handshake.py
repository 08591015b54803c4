"""Whether a plug-in and this htvm fit each other: its requirements, and the interface version."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from htvm.errors import PluginError
from htvm.plugins.guard import short
from htvm.plugins.listing import TargetInfo
from htvm.target.base import API_VERSION

if TYPE_CHECKING:
    from packaging.requirements import Requirement

CORE = "htvm-core"
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})")


def check_requirements(info: TargetInfo) -> None:
    """See that a plug-in's direct requirements are installed, before any of it is imported.

    Raises:
        PluginError: E616 a package is missing or has another version, E617 the metadata cannot
            be used.
    """
    if info.fault:
        raise _unusable(info, info.fault)
    wrong = unmet(info)
    if wrong:
        raise PluginError(
            f"target {info.name!r} of {info.owner} lacks packages it requires",
            code="E616",
            seen=", ".join(seen for _, seen in wrong),
            accepted=", ".join(wanted for wanted, _ in wrong),
            hint="pip install " + " ".join(f"'{wanted}'" for wanted, _ in wrong),
        )


def unmet(info: TargetInfo) -> tuple[tuple[str, str], ...]:
    """Requirements that do not hold: what is wanted, and what is there instead.

    Raises:
        PluginError: E617, a requirement cannot be read.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    found = []
    for text in info.requires:
        try:
            wanted = Requirement(text)
            applies = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
        except (InvalidRequirement, ValueError) as error:
            raise _unusable(info, f"requirement {short(text, 80)!r} cannot be read") from error
        seen = _installed(wanted.name) if applies else None
        if applies and not _holds(wanted, seen):
            there = f"{wanted.name} {seen}" if seen else f"{wanted.name} is not installed"
            found.append((f"{wanted.name}{wanted.specifier}", short(there, 120)))
    return tuple(found)


def _holds(wanted: Requirement, seen: str | None) -> bool:
    try:
        return seen is not None and wanted.specifier.contains(seen, prereleases=True)
    except ValueError:  # the installed package has a version nobody can compare
        return False


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _unusable(info: TargetInfo, seen: str) -> PluginError:
    return PluginError(
        f"the package metadata of target {info.name!r} of {info.owner} cannot be used",
        code="E617",
        seen=seen,
        hint=f"pip install --force-reinstall {info.distribution}",
    )


def check_api(info: TargetInfo, needed: object) -> None:
    """Hold the interface version a plug-in needs against the one there is.

    Raises:
        PluginError: E604, the major numbers differ, or a newer minor one is needed.
    """
    wanted, here = _parse(needed), _parse(API_VERSION)
    if wanted is not None and here is not None and wanted[0] == here[0] and wanted[1] <= here[1]:
        return
    newer = wanted is not None and here is not None and wanted > here
    raise PluginError(
        f"target {info.name!r} of {info.owner} was written for another plug-in interface",
        code="E604",
        seen=f"needs plug-in interface {short(str(needed), 40)}",
        accepted=f"{API_VERSION} or an older minor version, as {CORE} {version(CORE)} has it",
        hint=f"pip install --upgrade {CORE if newer else info.distribution}",
    )


def _parse(text: object) -> tuple[int, int] | None:
    match = _VERSION.fullmatch(text) if isinstance(text, str) else None
    return (int(match[1]), int(match[2])) if match else None
