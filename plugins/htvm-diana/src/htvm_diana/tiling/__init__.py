"""Exhaustive tiling of one layer into the digital core's L1 and weight memory."""

from htvm_diana.tiling.choose import choose

__all__ = ["choose"]
