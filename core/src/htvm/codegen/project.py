"""The result of code generation: the files of a C project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from htvm.codegen.runtimes import Joined


@dataclass(frozen=True, kw_only=True, eq=False)
class Project:
    """A C project as text.

    Attributes:
        name: C identifier of the network; prefix of every public name.
        files: Relative path -> text.
    sources: Those of them that every build compiles; the board's ``main`` is not among them.
    device_sources: Those that only the chip can run, in place of the emulation.
    include_dirs: Relative folders that hold headers.
    runtime: What the target brings along, its emulation included.
    """

    name: str
    files: Mapping[str, str]
    sources: tuple[str, ...]
    device_sources: tuple[str, ...]
    include_dirs: tuple[str, ...]
    runtime: Joined
