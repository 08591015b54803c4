"""Values and statements on their way to a function body."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from htvm.api import Array, Constant, DType
from htvm_cpu.host import Host

INT32 = (-(2**31), 2**31 - 1)


@dataclass(frozen=True, kw_only=True)
class Value:
    """A C expression without side effects, and what it can be.

    Attributes:
        text: An identifier, a literal or a bracketed expression.
        is_float: Whether its type is ``float``; else it is ``int32_t`` or narrower.
        lo: Least value it can take.
        hi: Greatest value it can take.
    """

    text: str
    is_float: bool = False
    lo: float = INT32[0]
    hi: float = INT32[1]

    @property
    def interval(self) -> tuple[int, int]:
        """The bounds of an integer value."""
        return int(self.lo), int(self.hi)


def loaded(text: str, dtype: DType) -> Value:
    """An element read from memory."""
    if dtype is DType.FLOAT32:
        return Value(text=text, is_float=True, lo=-inf, hi=inf)
    lo, hi = (0, 255) if dtype is DType.BOOL else dtype.bounds
    return Value(text=text, lo=lo, hi=hi)


def fits_int32(lo: int, hi: int) -> bool:
    """Whether every integer of an interval is an int32."""
    return lo >= INT32[0] and hi <= INT32[1]


@dataclass(kw_only=True)
class Writer:
    """Collects the statements of one element's computation, and what they need.

    Attributes:
        host: The processor the statements are for.
        setup: Loads of per-channel parameters; they depend on the channel's index only.
        lines: Statements so far.
        constants: Arrays they read.
        helpers: Functions they call.
    """

    host: Host
    setup: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    constants: list[Constant] = field(default_factory=list)
    helpers: dict[str, None] = field(default_factory=dict)

    def needs(self, *helpers: str) -> None:
        """Note helper functions."""
        self.helpers.update(dict.fromkeys(helpers))

    def array(self, stem: str, dtype: DType, data: Array) -> str:
        """Add a constant array; the name it got."""
        taken = {constant.name for constant in self.constants}
        name = next(name for name in _numbered(stem) if name not in taken)
        self.constants.append(Constant(name=name, dtype=dtype, data=data.astype(dtype.numpy)))
        return name

    def per_channel(self, stem: str, dtype: DType, data: Array, channel: str) -> str:
        """Add a constant array and load the channel's element; the name of the local variable."""
        name = self.array(stem, dtype, data)
        kind = (
            "float" if dtype is DType.FLOAT32 else "int64_t" if dtype is DType.INT64 else "int32_t"
        )
        self.setup.append(f"const {kind} {name}_c = {name}[{channel}];")
        return f"{name}_c"

    @property
    def body(self) -> list[str]:
        """Loads, then statements."""
        return [*self.setup, *self.lines]

    def let(self, text: str, *, is_float: bool = False) -> str:
        """Define a constant local variable; its name."""
        name = f"v{len(self.lines)}"
        self.lines.append(f"const {'float' if is_float else 'int32_t'} {name} = {text};")
        return name


def _numbered(stem: str) -> Iterable[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}{number}"
        number += 1
