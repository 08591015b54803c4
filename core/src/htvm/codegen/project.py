"""The result of code generation: the files of a C project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from htvm.codegen.runtimes import Joined

_FOLDERS = ("include", "src")


@dataclass(frozen=True, kw_only=True, eq=False)
class Project:
    """A C project as text.

    Attributes:
        name: C identifier of the network; prefix of every public name.
        files: Relative path -> text.
        sources: Those of them that every build compiles; ``test/main.c`` is not among them.
        device_sources: Those that only the chip can run.
        emulation_sources: Those that stand in for them on the user's machine.
        runtime: What the target brings along.
    """

    name: str
    files: Mapping[str, str]
    sources: tuple[str, ...]
    device_sources: tuple[str, ...]
    emulation_sources: tuple[str, ...]
    runtime: Joined

    @property
    def device_folders(self) -> tuple[str, ...]:
        """Folders searched for headers in a build for the chip."""
        return (*_FOLDERS, *(("device",) if self.runtime.device else ()))

    @property
    def host_folders(self) -> tuple[str, ...]:
        """Folders searched for headers in a build for the user's machine."""
        return (*_FOLDERS, *(("emulation",) if self.runtime.emulation else ()))
