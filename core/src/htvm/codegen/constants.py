"""The constant arrays of the network, each distinct array once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from htvm.codegen.text import array_rows
from htvm.errors import PluginError
from htvm.ir.dtype import DType
from htvm.ir.tensor import Array
from htvm.partition.names import identifier, unique
from htvm.schedule.kernels import Kernel, Schedule, identity
from htvm.target.source import Constant


@dataclass(frozen=True, kw_only=True, eq=False)
class Symbol:
    """A constant array of the C project.

    Attributes:
        name: Its C name.
        dtype: Element type.
        data: The elements.
        align_bytes: Alignment.
        engine_reads: Whether an accelerator reads it.
    """

    name: str
    dtype: DType
    data: Array
    align_bytes: int
    engine_reads: bool

    @property
    def size_bytes(self) -> int:
        """Bytes of the array."""
        return self.data.size * self.dtype.size_bytes

    @property
    def rows(self) -> str:
        """The initialiser."""
        return array_rows(self.data, self.dtype)


@dataclass(frozen=True, kw_only=True, eq=False)
class Constants:
    """All arrays, and which of them each step's constant is.

    Attributes:
        symbols: The arrays, in order of first use.
        names: ``(step name, constant name)`` -> C name.
    """

    symbols: tuple[Symbol, ...]
    names: Mapping[tuple[str, str], str]


def collect(schedule: Schedule, prefix: str) -> Constants:
    """Name every constant of the network; equal arrays share one name."""
    wanted = [(kernel, item) for kernel in schedule.kernels for item in kernel.constants]
    texts = unique(
        f"{prefix}_{kernel.step.name}_{identifier(item.name)}" for kernel, item in wanted
    )
    symbols: dict[tuple[bytes, str, int, bool], Symbol] = {}
    names: dict[tuple[str, str], str] = {}
    for text, (kernel, item) in zip(texts, wanted, strict=True):
        symbol = _symbol(text, kernel, item)
        names[kernel.step.name, item.name] = symbols.setdefault(identity(item), symbol).name
    return Constants(symbols=tuple(symbols.values()), names=names)


def _symbol(name: str, kernel: Kernel, item: Constant) -> Symbol:
    if item.data.size == 0 or item.data.dtype != item.dtype.numpy:
        raise PluginError(
            f"constant {item.name!r} of layer {kernel.step.name} cannot be printed",
            code="E621",
            seen=f"{item.data.size} elements of {item.data.dtype}",
            accepted=f"one or more elements of {item.dtype}",
        )
    return Symbol(
        name=name,
        dtype=item.dtype,
        data=item.data.reshape(-1),
        align_bytes=item.align_bytes,
        engine_reads=item.engine_reads,
    )
