"""Finds the layer a compiler's message is about."""

from __future__ import annotations

import re

from htvm.codegen.project import Project

_PLACE = re.compile(r"(src/\w+\.c):(\d+)")
_HEAD = re.compile(r"^static void layer_(\w+)\(")
_INSIDE = re.compile(r"in function [`'‘](?:layer_)?(\w+)['’]")


def blamed(message: str, project: Project) -> str:
    """Name of the layer whose function a message points into; empty if it is none."""
    place = _PLACE.search(message)
    if place is None or place[1] not in project.files:
        inside = _INSIDE.search(message)
        return inside[1] if inside else ""
    lines = project.files[place[1]].splitlines()[: int(place[2])]
    heads = (_HEAD.match(line) for line in reversed(lines))
    return next((head[1] for head in heads if head), "")
