"""The state of every byte a tile program can touch, while its steps are played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from htvm.target.hardware import Memory
from htvm.target.program import Buffer, Span

Flags = npt.NDArray[np.uint8]

EMPTY, READY, LANDING = 0, 1, 2
"""A byte never written, one that can be read, one that an unfinished step writes."""


def flags_of(flags: Flags, span: Span, start: int) -> Flags:
    """A view of the flags of a span's bytes, whose buffer starts at ``start``."""
    counts = tuple(count for count, _ in span.repeats)
    strides = tuple(stride for _, stride in span.repeats)
    return np.lib.stride_tricks.as_strided(
        flags[start + span.offset_bytes :],
        shape=(*counts, span.run_bytes),
        strides=(*strides, 1),
    )


def span_end(span: Span) -> int:
    """The byte after the last of a span."""
    return span.offset_bytes + span.run_bytes + sum((n - 1) * step for n, step in span.repeats)


def span_bytes(span: Span) -> int:
    """Bytes a span names."""
    total = span.run_bytes
    for count, _ in span.repeats:
        total *= count
    return total


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Bytes an unfinished step reads or writes."""

    span: Span
    writes: bool


@dataclass(kw_only=True, eq=False)
class Occupancy:
    """Byte states by memory or, outside scratchpads, by buffer.

    Buffers of one scratchpad share its flags, so buffers laid over each other are seen to be:
    each byte knows through which buffer it was last written.
    """

    buffers: Mapping[str, Buffer]
    memories: Mapping[str, Memory]
    _states: dict[str, Flags] = field(default_factory=dict)
    _readers: dict[str, Flags] = field(default_factory=dict)
    _owners: dict[str, Flags] = field(default_factory=dict)
    _writes: Flags | None = None

    def __post_init__(self) -> None:
        for buffer in self.buffers.values():
            key, _ = self._place(buffer)
            local = buffer.role == "local"
            size = self.memories[buffer.memory].size_bytes if local else buffer.size_bytes
            state = READY if buffer.role in {"input", "constant"} else EMPTY
            self._states.setdefault(key, np.full(size, state, dtype=np.uint8))
            self._readers.setdefault(key, np.zeros(size, dtype=np.uint8))
            number = 0 if local else self._number_of(buffer.name)
            self._owners.setdefault(key, np.full(size, number, dtype=np.uint8))
        if "out" in self.buffers:
            self._writes = np.zeros(self.buffers["out"].size_bytes, dtype=np.uint8)

    @staticmethod
    def _place(buffer: Buffer) -> tuple[str, int]:
        if buffer.role == "local":
            return f"memory {buffer.memory}", buffer.offset_bytes
        return buffer.name, 0

    def outside(self) -> str | None:
        """A buffer that does not fit its scratchpad, if there is one."""
        for buffer in self.buffers.values():
            end = buffer.offset_bytes + buffer.size_bytes
            size = self.memories[buffer.memory].size_bytes
            if buffer.role == "local" and (buffer.offset_bytes < 0 or end > size):
                return f"{buffer.name} ends at byte {end} of {buffer.memory}, which has {size}"
        return None

    def launch(self, reads: Sequence[Span], writes: Sequence[Span]) -> str | None:
        """Begin a job; returns what is wrong with it, or None."""
        fault = self._start(reads, writes)
        foreign = (span for span in reads if not fault and self._foreign(span).any())
        for span in foreign:
            return f"reads bytes of {span.buffer} that another buffer has overwritten"
        return fault

    def copy(self, source: Span, target: Span) -> str | None:
        """Begin a transfer; returns what is wrong with it, or None.

        It may carry along bytes of other buffers, as long as nothing is made of them.
        """
        fault = self._start((source,), (target,))
        if fault is None:
            owners = self._view(self._owners, target)
            owners[self._foreign(source).reshape(owners.shape)] = 0
        return fault

    def _start(self, reads: Sequence[Span], writes: Sequence[Span]) -> str | None:
        fault = next(filter(None, (self._range_fault(span) for span in (*reads, *writes))), None)
        fault = fault or next(filter(None, map(self._read_fault, reads)), None)
        if fault is None:
            for span in reads:
                self._view(self._readers, span)[...] += 1
            own = {span.buffer for span in reads}
            faults = (self._write_fault(span, in_place=span.buffer in own) for span in writes)
            fault = next(filter(None, faults), None)
        if fault is None:
            for span in writes:
                self._view(self._states, span)[...] = LANDING
                self._view(self._owners, span)[...] = self._number(span)
                self._count(span)
        return fault

    def finish(self, claim: Claim) -> None:
        """End one claim of a step that has been waited for."""
        if claim.writes:
            self._view(self._states, claim.span)[...] = READY
        else:
            self._view(self._readers, claim.span)[...] -= 1

    def writes(self) -> Flags:
        """How often each byte of the output was written with its own, up to 255."""
        if self._writes is None:
            return np.zeros(0, dtype=np.uint8)
        counted: Flags = self._writes * (self._owners["out"] != 0)
        return counted

    def _view(self, flags: Mapping[str, Flags], span: Span) -> Flags:
        key, start = self._place(self.buffers[span.buffer])
        return flags_of(flags[key], span, start)

    def _range_fault(self, span: Span) -> str | None:
        if span.buffer not in self.buffers:
            return f"names a buffer the program does not have: {span.buffer}"
        size = self.buffers[span.buffer].size_bytes
        negative = span.offset_bytes < 0 or any(step < 0 for _, step in span.repeats)
        if negative or span.run_bytes < 1 or span_end(span) > size:
            first, last = span.offset_bytes, span_end(span)
            return f"touches bytes {first}..{last - 1} of {span.buffer}, which has {size}"
        return None

    def _read_fault(self, span: Span) -> str | None:
        states = self._view(self._states, span)
        if (states == LANDING).any():
            return f"reads bytes of {span.buffer} that are still being written"
        if (states == EMPTY).any():
            return f"reads bytes of {span.buffer} that were never written"
        return None

    def _foreign(self, span: Span) -> npt.NDArray[np.bool_]:
        """Which bytes of a span hold what was written through another buffer."""
        owners = self._view(self._owners, span)
        found: npt.NDArray[np.bool_] = owners != self._number(span)
        return found

    def _number(self, span: Span) -> int:
        return self._number_of(span.buffer)

    def _number_of(self, name: str) -> int:
        """A number for a buffer; 1 to 255 tell neighbours apart."""
        return [*self.buffers].index(name) % 255 + 1

    def _write_fault(self, span: Span, *, in_place: bool) -> str | None:
        """What is wrong with writing; a step may overwrite what it reads, under the same name."""
        if (self._view(self._states, span) == LANDING).any():
            return f"writes bytes of {span.buffer} that are still being written"
        if not in_place and self._view(self._readers, span).any():
            return f"writes bytes of {span.buffer} that are still being read"
        if self.buffers[span.buffer].role in {"input", "constant"}:
            return f"writes to {span.buffer}, which it may only read"
        return None

    def _count(self, span: Span) -> None:
        if self._writes is not None and span.buffer == "out":
            view = flags_of(self._writes, span, 0)
            view[...] = np.minimum(view, 254) + 1
