"""Lists the installed targets from package metadata, importing none of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

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


def _info(point: EntryPoint, package: Distribution) -> TargetInfo:
    try:
        name, version = str(package.metadata["Name"]), str(package.version)
    except Exception:  # whatever a damaged installation makes the standard library raise
        name, version = "unknown", "unknown"
    return TargetInfo(name=point.name, distribution=name, version=version, entry=point.value)


def _points(package: Distribution) -> tuple[EntryPoint, ...]:
    """The targets a distribution announces; none if its metadata cannot be read."""
    try:
        return tuple(package.entry_points.select(group=GROUP))
    except Exception:  # as above
        return ()


def list_targets() -> tuple[TargetInfo, ...]:
    """Every installed target, by name. Reads metadata only, so a broken plug-in lists as well.

    Of a distribution found twice on the path, the first is the one Python imports.
    """
    found: dict[tuple[str, str], TargetInfo] = {}
    for package in distributions():
        for point in _points(package):
            info = _info(point, package)
            found.setdefault((info.name, info.distribution), info)
    return tuple(found[key] for key in sorted(found))
