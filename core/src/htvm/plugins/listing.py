"""Lists the installed targets from package metadata, importing none of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

from htvm.plugins.guard import short
from htvm.plugins.metadata import Headers, read_headers
from htvm.plugins.switches import disabled_names, normal

GROUP = "htvm.targets"

_LARGEST_TABLE = 1 << 20
_MOST_TARGETS = 50
_LONGEST_NAME = 64
_LONGEST_ENTRY = 300


@dataclass(frozen=True, kw_only=True)
class TargetInfo:
    """A target as its distribution announces it.

    Attributes:
        name: The target's id.
        distribution: The distribution that brings it.
        version: That distribution's version.
        entry: ``module:attribute`` of its class, or ``package:file.toml``.
        requires: What the distribution requires, as its metadata puts it.
        fault: Why the metadata alone rules it out; empty if it does not.
    """

    name: str
    distribution: str
    version: str
    entry: str
    requires: tuple[str, ...] = ()
    fault: str = ""

    @property
    def owner(self) -> str:
        """Distribution and version, as messages name them."""
        return f"{self.distribution} {self.version}"


def list_targets() -> tuple[TargetInfo, ...]:
    """Every installed target that is not disabled, by name.

    Reads metadata only, so a broken plug-in lists as well.
    """
    off = disabled_names()
    return tuple(info for info in installed_targets() if not is_disabled(info, off))


def is_disabled(info: TargetInfo, off: frozenset[str]) -> bool:
    """Whether the user switched a target off, by its id or by its distribution."""
    return normal(info.name) in off or normal(info.distribution) in off


def installed_targets() -> tuple[TargetInfo, ...]:
    """Every installed target by name, disabled ones included.

    Of a distribution found twice on the path, the first is the one Python imports.
    """
    found: dict[tuple[str, str], TargetInfo] = {}
    for package in distributions():
        for info in _announced(package):
            found.setdefault((info.name, info.distribution), info)
    return tuple(found[key] for key in sorted(found))


def _announced(package: Distribution) -> Iterator[TargetInfo]:
    """The targets of one distribution; none if its table of entry points cannot be read."""
    try:
        table = package.read_text("entry_points.txt") or ""
        if GROUP not in table:
            return
        headers = read_headers(package)
        if len(table) > _LARGEST_TABLE:
            yield _refused(headers, f"its table of entry points has {len(table):,} characters")
            return
        points = tuple(package.entry_points.select(group=GROUP))
    except Exception:  # whatever a damaged installation makes the standard library raise
        return
    if len(points) > _MOST_TARGETS:
        yield _refused(headers, f"it announces {len(points):,} targets, more than {_MOST_TARGETS}")
        return
    yield from (_info(point, headers) for point in points)


def _info(point: EntryPoint, headers: Headers) -> TargetInfo:
    fault = headers.fault
    if len(point.name) > _LONGEST_NAME:
        fault = f"the target's id has {len(point.name):,} characters"
    elif len(point.value) > _LONGEST_ENTRY or EntryPoint.pattern.match(point.value) is None:
        fault = f"the entry point {short(point.value, 60)!r} is not module:attribute"
    return TargetInfo(
        name=short(point.name, _LONGEST_NAME),
        distribution=headers.name,
        version=headers.version,
        entry=short(point.value, _LONGEST_ENTRY),
        requires=headers.requires,
        fault=fault,
    )


def _refused(headers: Headers, fault: str) -> TargetInfo:
    return TargetInfo(
        name="?", distribution=headers.name, version=headers.version, entry="", fault=fault
    )
