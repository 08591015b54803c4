"""A network file as it was read, before anything in it is understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Format = Literal["onnx", "tflite"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A network file's bytes and what is needed to make sense of them.

    Attributes:
        path: Where the file is; external data is looked for beside it.
        format: Kind of file, told from its content.
        data: The whole file.
        sha256: Digest of ``data``, in hexadecimal.
        shapes: Shapes the user gave for inputs, by tensor name; they replace the file's.
    """

    path: Path
    format: Format
    data: bytes = field(repr=False)
    sha256: str
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """The file's name without its folder; bytes that are no UTF-8 spelled out."""
        return self.path.name.encode("utf-8", "backslashreplace").decode()
