"""``python install.py SITE PROJECT``: an editable install of a project, without an index."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def install(site: Path, project: Path) -> None:
    """Make a project's sources and its entry points known to a folder of packages."""
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = table["name"].replace("-", "_"), table["version"]
    metadata = site / f"{name}-{version}.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    head = ["Metadata-Version: 2.1", f"Name: {table['name']}", f"Version: {version}"]
    needs = [f"Requires-Dist: {requirement}" for requirement in table["dependencies"]]
    (metadata / "METADATA").write_text("\n".join([*head, *needs, ""]), encoding="utf-8")
    points = []
    for group, entries in table["entry-points"].items():
        points += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join([*points, ""]), encoding="utf-8")
    for package in (project / "src").iterdir():
        (site / package.name).symlink_to(package.resolve(), target_is_directory=True)


if __name__ == "__main__":
    install(Path(sys.argv[1]), Path(sys.argv[2]))
