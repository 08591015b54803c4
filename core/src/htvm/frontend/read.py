"""Reads a network file and hands it to the front end of its format."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from htvm.frontend import refuse
from htvm.frontend.source import Format, Source

if TYPE_CHECKING:
    from htvm.ir.graph import Graph

_TFLITE_IDENTIFIER = b"TFL3"
_ONNX_FIELDS = frozenset(range(1, 9)) | {14, 20, 25, 26}


def read(path: str | Path, *, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Source:
    """The file at ``path``, with its format told from its content.

    Args:
        path: An ONNX or TFLite file.
        shapes: Shapes for inputs, by tensor name, that replace those in the file.

    Raises:
        UsageError: if the file cannot be read (E101) or is of neither format (E102).
    """
    file = Path(path)
    try:
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise refuse.unreadable(file, "a device or a pipe, not a plain file")
        data = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise refuse.unreadable(file, reason) from error
    return Source(
        path=file,
        format=_sniff(file, data),
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        shapes=dict(shapes or {}),
    )


def integerise(source: Source) -> Graph:
    """The integer graph of a network.

    Raises:
        UsageError: if the file is damaged.
        UnsupportedModelError: if the network holds something that cannot be taken.
    """
    from htvm.frontend.simplify import simplify

    if source.format == "tflite":
        from htvm.frontend.tflite import integerise as convert
    else:
        from htvm.frontend.onnx import integerise as convert
    return simplify(convert(source))


def _sniff(path: Path, data: bytes) -> Format:
    if not data:
        raise refuse.unknown_format(path, "an empty file")
    if data[4:8] == _TFLITE_IDENTIFIER:
        return "tflite"
    if _is_text(data[:256]):
        raise refuse.unknown_format(path, f"text beginning {data[:24]!r}")
    if data[0] >> 3 in _ONNX_FIELDS and data[0] & 7 in {0, 2}:
        return "onnx"
    raise refuse.unknown_format(path, f"bytes beginning {data[:8].hex(' ')}")


def _is_text(head: bytes) -> bool:
    """Whether these bytes are printable text; a protobuf's field numbers are control bytes."""
    return all(byte >= 0x20 or byte in b"\t\n\r\f" for byte in head)
