"""Flat TIR functions as C99 text: statements, names and scratch memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from htvm.errors import InternalError
from htvm.tvm.expressions import Expressions, c_type
from htvm.tvm.helpers import closure
from htvm.tvm.names import Names

_VARIABLE_BYTES = 4
"""Larger temporaries go to scratch: the stack of a small chip is not ours to spend, and only
temporaries of up to this size are left alone by TVM when it shares memory between types."""
_WIDEST_BYTES = 8
"""Size of the widest element: any temporary may be viewed as another type."""
_INDENT = "    "
_SERIAL_KINDS = frozenset((0, 1, 2, 3))


@dataclass(frozen=True, kw_only=True)
class Body:
    """The printed statements of a function.

    Attributes:
        text: The statements, outermost ones not indented.
        scratch_bytes: Scratch the statements use.
        scratch_align_bytes: Alignment ``scratch`` must have.
        headers: C headers the statements need besides ``stdint.h``, sorted.
        helpers: C functions the statements call, complete.
    """

    text: str
    scratch_bytes: int
    scratch_align_bytes: int
    headers: tuple[str, ...]
    helpers: tuple[str, ...]


def print_body(function: Any, parameters: tuple[str, ...], reserved: tuple[str, ...] = ()) -> Body:
    """Print a flat TIR function whose buffers are bound to ``parameters``, in order.

    Args:
        function: A ``PrimFunc`` that went through :func:`htvm.tvm.passes.flatten`.
        parameters: C names of its buffers.
        reserved: Other identifiers the text must not define.
    """
    names = dict(zip((_key(p) for p in function.params), parameters, strict=True))
    printer = _Printer(names, Names((*parameters, *reserved)))
    printer.statement(function.body)
    return Body(
        text="\n".join(printer.lines),
        scratch_bytes=printer.peak_bytes,
        scratch_align_bytes=printer.align_bytes,
        headers=tuple(sorted(printer.expressions.headers)),
        helpers=closure(printer.expressions.helpers),
    )


class _Printer:
    """Walks the statements once, writing lines."""

    def __init__(self, names: Mapping[int, str], unused: Names) -> None:
        self.lines: list[str] = []
        self.peak_bytes = 0
        self.align_bytes = 1
        self.expressions = Expressions(self._variable, self._element)
        self._names = dict(names)
        self._unused = unused
        self._scalars: set[int] = set()
        self._used_bytes = 0
        self._depth = 0

    def statement(self, node: Any) -> None:
        method = getattr(self, f"_print_{type(node).__name__.lower()}", None)
        if method is None:
            raise InternalError(f"no C for the TIR statement {type(node).__name__}", seen=str(node))
        method(node)

    def _line(self, text: str) -> None:
        self.lines.append(_INDENT * self._depth + text)

    def _block(self, head: str, *bodies: Any) -> None:
        """A compound statement; temporaries allocated inside end with it."""
        self._line(f"{head} {{")
        used_bytes = self._used_bytes
        self._depth += 1
        for body in bodies:
            self.statement(body)
        self._depth -= 1
        self._used_bytes = used_bytes
        self._line("}")

    def _variable(self, node: Any) -> str:
        name = self._names.get(_key(node))
        if name is None:
            raise InternalError(f"the TIR variable {node.name} is free")
        return name

    def _element(self, buffer: Any, index: str) -> str:
        name = self._variable(buffer)
        return name if _key(buffer) in self._scalars else f"{name}[{index}]"

    def _define(self, node: Any) -> str:
        name = self._unused.unique(node.name)
        self._names[_key(node)] = name
        return name

    def _print_seqstmt(self, node: Any) -> None:
        for part in node.seq:
            self.statement(part)

    def _print_for(self, node: Any) -> None:
        if int(node.kind) not in _SERIAL_KINDS or node.thread_binding is not None:
            raise InternalError("a TIR loop is bound to a thread")
        text = self.expressions.text
        low, extent = text(node.min), text(node.extent)
        high = extent if low == "0" else f"{low} + {extent}"
        step = "1" if node.step is None else text(node.step)
        name = self._define(node.loop_var)
        dtype = c_type(str(node.loop_var.ty.dtype))
        advance = f"++{name}" if step == "1" else f"{name} += {step}"
        self._block(f"for ({dtype} {name} = {low}; {name} < {high}; {advance})", node.body)

    def _print_while(self, node: Any) -> None:
        self._block(f"while ({self.expressions.text(node.condition)})", node.body)

    def _print_ifthenelse(self, node: Any) -> None:
        self._block(f"if ({self.expressions.text(node.condition)})", node.then_case)
        if node.else_case is not None:
            self.lines.pop()
            self._block("} else", node.else_case)

    def _print_bind(self, node: Any) -> None:
        value = self.expressions.text(node.value)
        dtype = c_type(str(node.var.ty.dtype))
        self._line(f"const {dtype} {self._define(node.var)} = {value};")

    def _print_bufferstore(self, node: Any) -> None:
        value = self.expressions.text(node.value)
        (index,) = node.indices
        target = self._element(node.buffer, self.expressions.text(index))
        self._line(f"{target} = {value};")

    def _print_declbuffer(self, node: Any) -> None:
        source = node.data
        if type(source).__name__ != "Call" or source.op.name != "tirx.buffer_data":
            raise InternalError("a TIR buffer is not a plain view", seen=str(node))
        (viewed,) = source.args
        if str(viewed.ty.dtype) == str(node.buffer.ty.dtype):
            self._names[_key(node.buffer)] = self._variable(viewed)
            return
        kind, memory = c_type(str(node.buffer.ty.dtype)), self._variable(viewed)
        self.align_bytes = max(self.align_bytes, np.dtype(str(node.buffer.ty.dtype)).itemsize)
        self._line(f"{kind} *const {self._define(node.buffer)} = ({kind} *){memory};")

    def _print_allocbuffer(self, node: Any) -> None:
        buffer = node.buffer
        elements = int(np.prod([int(extent) for extent in buffer.ty.shape]))
        dtype = str(buffer.ty.dtype)
        item_bytes = np.dtype(dtype).itemsize
        name = self._define(buffer)
        if elements == 1 and item_bytes <= _VARIABLE_BYTES:
            self._scalars.add(_key(buffer))
            # Compilers do not see that a default lowering sets it in its loop's first turn.
            self._line(f"{c_type(dtype)} {name} = 0;")
        else:
            self._in_scratch(name, c_type(dtype), elements * item_bytes, item_bytes)

    def _in_scratch(self, name: str, kind: str, size_bytes: int, align_bytes: int) -> None:
        start = -(-self._used_bytes // _WIDEST_BYTES) * _WIDEST_BYTES
        self._used_bytes = start + size_bytes
        self.peak_bytes = max(self.peak_bytes, self._used_bytes)
        self.align_bytes = max(self.align_bytes, align_bytes)
        place = "scratch" if start == 0 else f"(scratch + {start})"
        cast = "" if kind == "uint8_t" and start == 0 else f"({kind} *)"
        self._line(f"{kind} *const {name} = {cast}{place};")

    def _print_attrstmt(self, node: Any) -> None:
        self.statement(node.body)

    def _print_evaluate(self, node: Any) -> None:
        """An expression without effect is nothing in C."""


def _key(node: Any) -> int:
    """Identity of a TIR object, equal for every Python handle to it."""
    return int(node.__chandle__())
