"""The result of code generation: the files of a C project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, eq=False)
class Project:
    """A C project as text.

    Attributes:
        name: C identifier of the network; prefix of every public name.
        files: Relative path -> text.
        sources: Those of them that a build compiles, the board's ``main`` left out.
        include_dirs: Relative folders that hold headers.
    """

    name: str
    files: Mapping[str, str]
    sources: tuple[str, ...]
    include_dirs: tuple[str, ...]
