"""Targets that are not installed: a Python file, a folder, or a TOML file, given by its path."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from htvm.errors import UsageError
from htvm.plugins.board import board_target
from htvm.plugins.listing import GROUP, TargetInfo
from htvm.plugins.loading import broken, guarded_import, make_target
from htvm.target.base import Target

_FILES = (".py", ".toml")


def is_path(target: str) -> bool:
    """Whether a target is given by a path: it has a separator, or ends in ``.py`` or ``.toml``."""
    separators = {os.sep, os.altsep or os.sep, "/"}
    return any(mark in target for mark in separators) or target.endswith(_FILES)


def target_id(target: str) -> str:
    """The id of a target as the user gives it: an id itself, or a file's or folder's stem."""
    if not is_path(target):
        return target
    return re.sub(r"[^\w.-]", "_", Path(target).resolve().stem) or "target"


def load_path(target: str) -> tuple[TargetInfo, Target]:
    """The target at a path, loaded anew each time.

    Args:
        target: A ``.py`` file with one class derived from ``Target``, a ``.toml`` file that
            extends another target, or a folder that is a package or holds a project with one
            entry point in the group ``htvm.targets``.

    Raises:
        UsageError: E140, there is no target at this path.
        PluginError: As for installed targets.
    """
    path = Path(target)
    try:
        return _load(path.resolve(strict=True), target)
    except (OSError, ValueError) as error:
        raise _nothing(target, str(error)) from error


def _load(path: Path, given: str) -> tuple[TargetInfo, Target]:
    info = TargetInfo(name=target_id(given), distribution=given, version="(local)", entry=path.name)
    if path.is_dir():
        return _load_folder(path, given, info)
    if path.suffix == ".toml":
        return info, board_target(path.read_bytes(), info)
    if path.suffix == ".py":
        return info, make_target(_only_class(_execute(path, info), info), info)
    raise _nothing(given, f"a file that ends in {path.suffix or 'nothing'!r}")


def _load_folder(path: Path, given: str, info: TargetInfo) -> tuple[TargetInfo, Target]:
    if (path / "pyproject.toml").is_file():
        return _load_project(path, info)
    if (path / "__init__.py").is_file():
        module = _execute(path / "__init__.py", info, package=path)
        return info, make_target(_only_class(module, info), info)
    raise _nothing(given, "a folder with neither pyproject.toml nor __init__.py")


def _load_project(path: Path, info: TargetInfo) -> tuple[TargetInfo, Target]:
    """The one target of a project that is not installed; its modules become importable."""
    points = guarded_import(info, lambda: _announced(path / "pyproject.toml"))
    if len(points) != 1:
        seen = f"{len(points)} entry points in the group {GROUP} of pyproject.toml"
        raise broken(info, "E603", seen, "one", "name the target's .py file instead")
    ((name, entry),) = points.items()
    folder = str(path / "src" if (path / "src").is_dir() else path)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    known = TargetInfo(name=name, distribution=info.distribution, version="(local)", entry=entry)
    module, _, attribute = entry.partition(":")
    if entry.endswith(".toml"):
        root = Path(folder).joinpath(*module.split("."))
        return known, board_target((root / attribute).read_bytes(), known)
    return known, make_target(getattr(_named(known, module), attribute, None), known)


def _announced(file: Path) -> dict[str, str]:
    """The targets a project announces, by id."""
    project = tomllib.loads(file.read_text("utf-8")).get("project", {})
    points = project.get("entry-points", {}).get(GROUP, {})
    return {str(name): str(entry) for name, entry in points.items()}


def _named(info: TargetInfo, module: str) -> ModuleType:
    return guarded_import(info, lambda: import_module(module))


def _execute(path: Path, info: TargetInfo, package: Path | None = None) -> ModuleType:
    """Run a module that is not installed, under a name nothing else has."""
    digest = sha256(str(path).encode()).hexdigest()[:8]
    name = f"htvm_local_{re.sub(r'[^0-9a-zA-Z]', '_', info.name)}_{digest}"
    for stale in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[stale]
    folders = [str(package)] if package else None
    spec = spec_from_file_location(name, path, submodule_search_locations=folders)
    if spec is None or spec.loader is None:
        raise broken(info, "E602", path.name, "a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    loader = spec.loader
    guarded_import(info, lambda: loader.exec_module(module))
    return module


def _only_class(module: ModuleType, info: TargetInfo) -> type[Target]:
    """The class derived from ``Target`` that a module defines and derives nothing from."""
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Target)
        and f"{value.__module__}.".startswith(f"{module.__name__}.")
    ]
    ends = {kind for kind in own if not any(kind in other.__mro__[1:] for other in own)}
    if len(ends) != 1:
        seen = ", ".join(sorted(kind.__name__ for kind in ends)) or "no class derived from Target"
        raise broken(info, "E603", seen, "one class derived from Target", "see docs/plugins.md")
    return ends.pop()


def _nothing(given: str, seen: str) -> UsageError:
    return UsageError(
        f"there is no target at {given!r}",
        code="E140",
        seen=seen,
        accepted="a .py or .toml file, or a folder with a package or a project",
        hint="htvm targets lists the installed ones",
    )
