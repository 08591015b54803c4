"""Front ends: from a network file to the integer graph."""

from htvm.frontend.read import integerise, read
from htvm.frontend.source import Source

__all__ = ["Source", "integerise", "read"]
