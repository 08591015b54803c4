"""Element types of tensors."""

from __future__ import annotations

from enum import StrEnum

import numpy as np


class DType(StrEnum):
    """Element type; the value is numpy's name of it."""

    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    BOOL = "bool"

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The numpy type."""
        return np.dtype(self.value)

    @property
    def size_bytes(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize

    @property
    def is_integer(self) -> bool:
        """Whether this is a signed or unsigned integer type."""
        return self.numpy.kind in "iu"

    @property
    def c_name(self) -> str:
        """The C99 type."""
        return {"float32": "float", "bool": "uint8_t"}.get(self.value, f"{self.value}_t")

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest value of an integer type.

        Raises:
            ValueError: for ``float32`` and ``bool``.
        """
        info = np.iinfo(self.value)
        return int(info.min), int(info.max)
