"""Renders the files of a new target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import jinja2

from htvm.api import API_VERSION
from htvm.scaffold.names import Names


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the author of a new target chooses.

    Attributes:
        names: The target's name in all its forms.
        layout: Where the engines want a tensor's elements: ``"channels-last"``,
            ``"channel-blocks"`` of 8, or ``"channels-first"``.
        engines: How many engines the chip has besides its host.
    """

    names: Names
    layout: str = "channels-last"
    engines: int = 1


def render(choices: Choices) -> Mapping[str, str]:
    """The files of the package: path -> text. Byte for byte the same for the same choices."""
    loader = jinja2.Environment(
        loader=jinja2.PackageLoader("htvm.scaffold"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - source code, not HTML
    )
    view = _view(choices)
    return {
        path: loader.get_template(template).render(view)
        for path, template in sorted(_files(choices.names).items())
    }


def _files(names: Names) -> dict[str, str]:
    """Path in the package -> template."""
    source, runtime = f"src/{names.package}", f"src/{names.package}/runtime/{names.prefix}"
    return {
        "pyproject.toml": "pyproject.toml.j2",
        "README.md": "README.md.j2",
        ".gitignore": "gitignore.j2",
        ".github/workflows/check.yml": "check.yml.j2",
        f"docs/{names.target}.md": "docs/target.md.j2",
        f"tests/test_{names.prefix}.py": "tests/test_target.py.j2",
        **{
            f"{source}/{name}": f"source/{name}.j2"
            for name in (
                "__init__.py",
                "plugin.py",
                "patterns.py",
                "engine.py",
                "pack.py",
                "py.typed",
                "hardware.toml",
            )
        },
        f"{runtime}.h": "source/runtime/header.h.j2",
        f"{runtime}_emulation.c": "source/runtime/emulation.c.j2",
        f"{runtime}_device.c": "source/runtime/device.c.j2",
    }


def _view(choices: Choices) -> dict[str, object]:
    """What the templates are filled with."""
    names = choices.names
    count = choices.engines
    return {
        "name": names.target,
        "distribution": names.distribution,
        "package": names.package,
        "class_name": names.class_name,
        "title": names.title,
        "c": names.prefix,
        "C": names.prefix.upper(),
        "layout": choices.layout,
        "layout_function": choices.layout.replace("-", "_"),
        "engines": ["npu"] if count == 1 else [f"npu{number}" for number in range(count)],
        "api_version": API_VERSION,
        "version": ".".join(version("htvm-core").split(".")[:2]),
    }
