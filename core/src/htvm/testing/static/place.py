"""Finds a target's files without importing any of them."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from htvm.errors import UsageError
from htvm.plugins.files import is_path, target_id
from htvm.plugins.listing import GROUP, TargetInfo
from htvm.plugins.loading import find_target
from htvm.testing.outcome import Fault


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a target is.

    Attributes:
        info: What its metadata says.
        root: Folder that names in messages start from.
        sources: Python files to look at.
        tables: Hardware descriptions.
        python: Versions of Python it asks for; empty if it does not say.
        faults: What was wrong before any file was looked at.
    """

    info: TargetInfo
    root: Path
    sources: tuple[Path, ...] = ()
    tables: tuple[Path, ...] = ()
    python: str = ""
    faults: tuple[Fault, ...] = ()


def locate(target: str) -> Place:
    """The files of a target given by id, file or folder.

    Raises:
        UsageError: E140, there is no such target.
        PluginError: E601, two distributions bring it.
    """
    if not is_path(target):
        return _installed(find_target(target))
    path = Path(target)
    if not path.exists():
        raise UsageError(
            f"there is no target at {target!r}",
            code="E140",
            seen="no such file or folder",
            accepted="an installed target's id, a .py or .toml file, or a project's folder",
            hint="htvm targets lists the installed ones",
        )
    if path.is_file():
        return _single(path, target)
    return _project(path, target) if (path / "pyproject.toml").is_file() else _folder(path, target)


def _local(target: str, entry: str, **more: Any) -> TargetInfo:
    fields = {"name": target_id(target), "distribution": target, "version": "(local)", **more}
    return TargetInfo(entry=entry, **fields)


def _single(path: Path, target: str) -> Place:
    python = path.suffix == ".py"
    return Place(
        info=_local(target, path.name),
        root=path.parent,
        sources=(path,) if python else (),
        tables=() if python else (path,),
    )


def _folder(path: Path, target: str) -> Place:
    from htvm.testing.static.hardware import descriptions

    sources = tuple(sorted(path.rglob("*.py")))
    faults = () if sources else (_fault("the folder holds no Python files", path.name),)
    tables = tuple(descriptions(path))
    info = _local(target, path.name)
    return Place(info=info, root=path.parent, sources=sources, tables=tables, faults=faults)


def _project(path: Path, target: str) -> Place:
    """A project that need not be installed."""
    try:
        table = tomllib.loads((path / "pyproject.toml").read_text("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        what = f"pyproject.toml is not TOML: {error}"
        info = _local(target, "")
        return Place(info=info, root=path, faults=(_fault(what, "pyproject.toml"),))
    project = table.get("project", {})
    points: Mapping[str, str] = project.get("entry-points", {}).get(GROUP, {})
    requires = tuple(map(str, project.get("dependencies", ())))
    faults = []
    if not points:
        what = f"pyproject.toml announces no target: [project.entry-points.{GROUP!r}] is missing"
        faults.append(_fault(what, "pyproject.toml"))
    name, entry = next(iter(points.items()), (target_id(target), ""))
    info = _local(target, entry, name=name, requires=requires)
    source = path / "src" if (path / "src").is_dir() else path
    found = _package(info, source, path)
    return Place(
        info=info,
        root=path,
        sources=found.sources,
        tables=found.tables,
        python=str(project.get("requires-python", "")),
        faults=(*faults, *(found.faults if entry else ())),
    )


def _installed(info: TargetInfo) -> Place:
    """The package an installed target's entry point names; nothing of it runs."""
    top = info.entry.partition(":")[0].partition(".")[0]
    spec = PathFinder.find_spec(top, sys.path)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if spec is None or not (folders or spec.origin):
        what = f"entry point {info.entry!r}: no module {top!r} is installed"
        fault = _fault(what, f"entry points of {info.owner}")
        return Place(info=info, root=Path(), faults=(fault,))
    place = Path(folders[0] if folders else str(spec.origin)).parent
    return _package(info, place, place)


def _package(info: TargetInfo, source: Path, root: Path) -> Place:
    """The package below a folder that an entry point leads to."""
    from htvm.testing.static.hardware import descriptions

    module, _, attribute = info.entry.partition(":")
    parts = module.split(".")
    file = source.joinpath(*parts)
    candidates = (file.with_suffix(".py"), file / "__init__.py")
    faults = []
    named = attribute.endswith(".toml") or any(one.is_file() for one in candidates)
    if not named:
        what = f"entry point {info.entry!r}: there is no module {module!r} below {source.name}"
        faults.append(_fault(what, f"entry points of {info.owner}"))
    folder = source / parts[0]
    sources = tuple(sorted(folder.rglob("*.py"))) if folder.is_dir() else candidates[:1]
    return Place(
        info=info,
        root=root,
        sources=tuple(path for path in sources if path.is_file()),
        tables=tuple(descriptions(folder)) if folder.is_dir() else (),
        faults=tuple(faults),
    )


def _fault(what: str, where: str) -> Fault:
    return Fault(subject="package", what=what, where=where)
