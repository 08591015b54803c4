"""Which plug-ins answer for a target: itself and all it extends, in order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from htvm.errors import PluginError, UsageError
from htvm.plugins.board import Board, extended_ids
from htvm.plugins.files import is_path, load_path
from htvm.plugins.guard import shown
from htvm.plugins.handshake import check_api
from htvm.plugins.listing import TargetInfo
from htvm.plugins.loading import find_target, load_target
from htvm.target.base import Target


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """A target that answers.

    Attributes:
        info: What is known of it.
        plugin: Its instance.
    """

    info: TargetInfo
    plugin: Target


def resolve(target: str | type[Target]) -> Link:
    """The target asked for: by id, by path, or a class that is not installed.

    Raises:
        UsageError: E140, there is none.
        PluginError: It is broken.
    """
    if not isinstance(target, str):
        return _local(target)
    if is_path(target):
        info, plugin = load_path(target)
        return Link(info=info, plugin=plugin)
    info = find_target(target)
    return Link(info=info, plugin=load_target(info))


def _local(target: type[Target]) -> Link:
    entry = f"{target.__module__}:{target.__qualname__}"
    name = target.__name__.lower()
    info = TargetInfo(name=name, distribution="local", version="0", entry=entry)
    check_api(info, target.api_version)
    return Link(info=info, plugin=target())


def with_extended(first: Link) -> list[Link]:
    """The target and all it extends, nearest first, each once.

    Raises:
        PluginError: E605 it extends what is not there, or whatever is wrong with that.
    """
    chain = [first]
    seen = {_identity(first.info)}
    for link in chain:
        for name in _extends(link):
            if name not in seen:
                extended = _extended(link, name)
                chain += [] if _identity(extended.info) in seen else [extended]
                seen.add(_identity(extended.info))
    return chain


def _identity(info: TargetInfo) -> str:
    return str(Path(info.distribution).resolve()) if is_path(info.distribution) else info.name


def _extends(link: Link) -> tuple[str, ...]:
    names = extended_ids(link.plugin)
    if isinstance(names, tuple) and all(isinstance(name, str) for name in names):
        return names
    raise _cannot_extend(link.info, shown(names))


def _extended(link: Link, name: str) -> Link:
    try:
        if is_path(name):
            return resolve(_beside(link, name))
        info = find_target(name, wanted_by=link.info)
    except UsageError as error:
        raise _cannot_extend(link.info, error.message) from error
    return Link(info=info, plugin=load_target(info))


def _beside(link: Link, name: str) -> str:
    """A path that a local TOML file extends, seen from its folder."""
    if not isinstance(link.plugin, Board) or not is_path(link.info.distribution):
        raise UsageError(f"{name!r} is a path, not the id of a target", code="E140")
    return str(Path(link.info.distribution).parent / name)


def _cannot_extend(info: TargetInfo, seen: str) -> PluginError:
    return PluginError(
        f"target {info.name!r} of {info.owner} cannot extend what it names",
        code="E605",
        seen=seen,
        accepted="a tuple of ids of installed targets",
        hint="htvm targets lists the installed ones",
    )
