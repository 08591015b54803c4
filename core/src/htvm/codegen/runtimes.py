"""Joins what several plug-ins bring along for the generated code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from htvm.errors import PluginError
from htvm.target.source import Runtime


@dataclass(frozen=True, kw_only=True, eq=False)
class Joined:
    """The files and statements of all runtimes together.

    Attributes:
        headers: File name -> text.
        emulation: File name -> text.
        device: File name -> text.
        begins: Statements at the start of an inference.
        ends: Statements at its end, last plug-in first.
        device_flags: Compiler flags of the device build.
        cycles: Names of the functions that count cycles.
        errors: Names of the functions that tell what went wrong.
    """

    headers: Mapping[str, str]
    emulation: Mapping[str, str]
    device: Mapping[str, str]
    begins: tuple[str, ...]
    ends: tuple[str, ...]
    device_flags: tuple[str, ...]
    cycles: tuple[str, ...]
    errors: tuple[str, ...]


def join(runtimes: Sequence[Runtime]) -> Joined:
    """All runtimes as one.

    Raises:
        PluginError: E622, two plug-ins bring different files of one name, or a name with a folder.
    """
    flags = (flag for runtime in runtimes for flag in runtime.device_flags)
    return Joined(
        headers=_merged([runtime.headers for runtime in runtimes]),
        emulation=_merged([runtime.emulation for runtime in runtimes]),
        device=_merged([runtime.device for runtime in runtimes]),
        begins=tuple(runtime.begin for runtime in runtimes if runtime.begin),
        ends=tuple(runtime.end for runtime in reversed(runtimes) if runtime.end),
        device_flags=tuple(dict.fromkeys(flags)),
        cycles=tuple(runtime.cycles for runtime in runtimes if runtime.cycles),
        errors=tuple(runtime.error for runtime in runtimes if runtime.error),
    )


def _merged(parts: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        for name, text in part.items():
            if PurePosixPath(name).name != name or found.get(name, text) != text:
                raise PluginError(
                    f"runtime file {name!r} cannot be shipped",
                    code="E622",
                    seen="two texts for one name" if name in found else "a name with a folder",
                    accepted="plain file names, each with one text",
                )
            found[name] = text
    return dict(sorted(found.items()))
