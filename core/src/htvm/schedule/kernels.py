"""The result of scheduling: everything needed to print each step's C."""

from __future__ import annotations

from dataclasses import dataclass

from htvm.dispatch.plan import Dispatch, Step
from htvm.target.layer import Cost
from htvm.target.program import Program
from htvm.target.source import Constant, LayerCode


@dataclass(frozen=True, kw_only=True, eq=False)
class Kernel:
    """One step of the network, packed, scheduled and written as C.

    Attributes:
        step: The layer or conversion.
        constants: Its weights and tables as the engine reads them.
        program: Its tile program; None for host code.
        code: Its C.
        timeline: Cycles read off the program's timeline; None for host code.
    """

    step: Step
    constants: tuple[Constant, ...]
    program: Program | None
    code: LayerCode
    timeline: Cost | None = None

    @property
    def constant_bytes(self) -> int:
        """Bytes of the constants."""
        return sum(map(_bytes, self.constants))


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """All steps in order, ready to be placed in memory and printed.

    Attributes:
        dispatch: The plan they come from.
        kernels: One per step, in execution order.
    """

    dispatch: Dispatch
    kernels: tuple[Kernel, ...]

    @property
    def constant_bytes(self) -> int:
        """Bytes of the constants of all kernels, arrays that are equal counted once."""
        items = (item for kernel in self.kernels for item in kernel.constants)
        return sum({identity(item): _bytes(item) for item in items}.values())


def _bytes(item: Constant) -> int:
    return item.data.size * item.dtype.size_bytes


def identity(item: Constant) -> tuple[bytes, str, int, bool]:
    """What two constants have in common that can share one array."""
    return item.data.tobytes(), item.dtype.value, item.align_bytes, item.engine_reads
