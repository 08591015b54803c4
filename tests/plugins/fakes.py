"""Distributions made for a test: a module and its metadata on a path of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

CHIP = """
from typing import ClassVar
from htvm.api import *

class Chip(Target):
    extends: ClassVar = ("cpu",)
"""
"""A target that works: the host, and nothing else."""


def install(
    folder: Path,
    name: str,
    source: str | None,
    *,
    entry: str = "",
    requires: Sequence[str] = ("htvm-core", "htvm-cpu"),
    entry_points: str | None = None,
    target: str = "",
    description: str = "",
) -> str:
    """Write a distribution ``htvm-<name>`` 2.5 with one target; gives its name and version.

    Args:
        folder: A folder that is, or will be, on the path.
        name: Of the target, and part of the names of module and distribution.
        source: Of the module ``htvm_<name>``; None for no module.
        entry: What the entry point names; by default the module's class ``Chip``.
        requires: Requirements of the distribution.
        entry_points: The whole table, instead.
        target: Id of the target, if it is not the name.
        description: Body of the metadata.
    """
    folder.mkdir(exist_ok=True)
    if source is not None:
        (folder / f"htvm_{name}.py").write_text(dedent(source), encoding="utf-8")
    info = folder / f"htvm_{name}-2.5.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    head = f"Metadata-Version: 2.1\nName: htvm-{name}\nVersion: 2.5\n{needs}"
    (info / "METADATA").write_text(f"{head}\n{description}", encoding="utf-8")
    table = f"[htvm.targets]\n{target or name} = {entry or f'htvm_{name}:Chip'}\n"
    (info / "entry_points.txt").write_text(entry_points or table, encoding="utf-8")
    return f"htvm-{name} 2.5"
