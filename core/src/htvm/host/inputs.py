"""Input arrays for verification: the user's files, random samples, extreme samples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """Where the user's samples for one graph input lie and how to read them.

    Attributes:
        path: A ``.npy`` or ``.npz`` file.
        key: Array in an ``.npz``; may be empty if it holds only one.
        name: The graph input they are for; may be empty if there is only one.
        layout: Order of the array's axes when it is not the graph input's: ``"nchw"``, ``"nhwc"``.
        scale: Samples are multiplied by this first.
        offset: Then this is added.
    """

    path: str
    key: str = ""
    name: str = ""
    layout: str = ""
    scale: float = 1.0
    offset: float = 0.0
