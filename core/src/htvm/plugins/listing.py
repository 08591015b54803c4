"""Lists the installed targets from package metadata, importing none of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

GROUP = "htvm.targets"


@dataclass(frozen=True, kw_only=True)
class TargetInfo:
    """A target as its distribution announces it.

    Attributes:
        name: The target's id.
        distribution: The distribution that brings it.
        version: That distribution's version.
        entry: ``module:attribute`` of its class.
    """

    name: str
    distribution: str
    version: str
    entry: str


def _info(point: EntryPoint) -> TargetInfo:
    package = point.dist
    return TargetInfo(
        name=point.name,
        distribution=package.metadata["Name"] if package else "unknown",
        version=package.version if package else "unknown",
        entry=point.value,
    )


def list_targets() -> tuple[TargetInfo, ...]:
    """Every installed target, by name. Reads metadata only, so a broken plug-in lists as well."""
    found = {_info(point) for point in entry_points(group=GROUP)}
    return tuple(sorted(found, key=lambda info: (info.name, info.distribution)))
