"""Text that is safe in C: comments, numbers, arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from textwrap import indent, wrap

import numpy as np

from htvm.ir.dtype import DType
from htvm.ir.tensor import Array

_LINE = 96
_INT32_MIN = -(2**31)
_INT64_MIN = -(2**63)


def comment_text(text: str) -> str:
    """``text`` on one line, unable to end a comment or to mean anything to the preprocessor."""
    ascii_only = text.encode("ascii", "replace").decode("ascii")
    plain = re.sub(r"[^ -~]+", " ", ascii_only)
    return plain.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("\\", "/")


def comment_lines(lines: Iterable[str], *, width: int = _LINE) -> tuple[str, ...]:
    """Lines of a comment: those too long broken at spaces, empty ones left out."""
    safe = (comment_text(line) for line in lines)
    return tuple(
        part
        for line in safe
        for part in wrap(line, width, break_long_words=False, break_on_hyphens=False)
    )


def comment(lines: Iterable[str]) -> str:
    """A block comment of these lines."""
    return "/* " + "\n * ".join(comment_lines(lines)) + " */"


def indented(body: str) -> str:
    """Statements one level deeper; preprocessor lines stay at the margin."""
    return indent(body, "    ", lambda line: bool(line.strip()) and not line.startswith("#"))


def literal(value: int | float, dtype: DType) -> str:
    """One element as a C99 constant that has exactly this value."""
    if dtype is DType.FLOAT32:
        return _float(float(value))
    number = int(value)
    if dtype is DType.INT64:
        return "INT64_MIN" if number == _INT64_MIN else f"INT64_C({number})"
    return "INT32_MIN" if number == _INT32_MIN and dtype is DType.INT32 else str(number)


def _float(value: float) -> str:
    if np.isnan(value):
        return "NAN"
    if np.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return f"{value.hex()}f"


def not_finite(data: Array) -> bool:
    """Whether writing the elements takes ``NAN`` or ``INFINITY`` of ``math.h``."""
    return data.dtype == np.float32 and not np.isfinite(data).all()


def array_rows(data: Array, dtype: DType) -> str:
    """The elements as rows of an initialiser, as many to a line as fit."""
    values = data.reshape(-1).tolist()
    small = dtype.size_bytes == 1 or dtype is DType.INT16
    texts = [str(int(v)) for v in values] if small else [literal(v, dtype) for v in values]
    widest = max(map(len, texts), default=1) + 2
    per_row = max(1, _LINE // widest)
    rows = (texts[at : at + per_row] for at in range(0, len(texts), per_row))
    return ",\n".join("    " + ", ".join(row) for row in rows)
