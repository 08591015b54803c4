"""Targets that are a TOML file: another target with some of its numbers changed."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from importlib.resources import files

from htvm.errors import PluginError
from htvm.hookspecs import hookimpl
from htvm.plugins.guard import plugin_code
from htvm.plugins.listing import TargetInfo
from htvm.target.base import Target
from htvm.target.hardware import Hardware
from htvm.target.overlay import overlay, parse_overlay


class Board(Target):
    """A target whose hardware is another's with changes laid over it.

    Args:
        table: The parsed file.
        name: The new target's id.
        where: Name of the file, for errors.
    """

    def __init__(self, table: Mapping[str, object], *, name: str, where: str) -> None:
        self.table = table
        self.name = name
        self.where = where

    @hookimpl(wrapper=True)
    def htvm_hardware(self) -> Generator[None, Hardware | None, Hardware | None]:
        """The extended target's hardware, changed."""
        base = yield
        if base is None:
            return None
        return overlay(base, self.table, name=self.name, where=self.where)


def board_target(data: bytes, info: TargetInfo) -> Board:
    """The target a TOML file describes.

    Raises:
        PluginError: E610 it is not TOML, E611 it does not say what it extends.
    """
    where = f"{info.entry} of {info.owner}" if ":" in info.entry else info.distribution
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PluginError(f"{where} is not TOML", code="E610", seen=str(error)) from error
    return Board(parse_overlay(text, where=where), name=info.name, where=where)


def extended_ids(plugin: Target) -> object:
    """Ids of the targets a plug-in extends, as it gives them."""
    return (plugin.table["extends"],) if isinstance(plugin, Board) else plugin.extends


def read_resource(info: TargetInfo) -> bytes:
    """The TOML file an entry point ``package:file.toml`` names."""
    package, _, name = info.entry.partition(":")
    with plugin_code():
        return files(package).joinpath(name).read_bytes()
