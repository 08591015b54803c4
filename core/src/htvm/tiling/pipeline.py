"""Builds the tile program of an engine that works in a scratchpad a DMA fills and empties.

While the engine works on one tile, the next one's operands are loaded and the last one's result is
stored. What a tile needs and the scratchpad still holds is not loaded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from htvm.target.hardware import Memory
from htvm.target.program import Buffer, Launch, Program, Span, Step, Tile, Transfer, Wait

OUTPUT = "output"
"""Name of the result among the operands."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """What is to be done for one tile.

    Attributes:
        label: The tile, for people: ``"outputs 0..15, rows 0..7"``.
        loads: Operand -> its bytes in main memory, which lie packed in the scratchpad, in order.
        store: Where in main memory the packed result goes.
        kind: The job's kind.
        job: Fields of the job's record. The scratchpad address of every operand is added under the
            operand's name, that of the result as ``"output"``.
        cycles: Time of the job on the engine.
        macs: Useful multiply-accumulates.
    """

    label: str
    loads: Mapping[str, Span]
    store: Span
    kind: str
    job: Mapping[str, int]
    cycles: int
    macs: int = 0


@dataclass(frozen=True, kw_only=True)
class Queues:
    """Names of the queues; loads and stores may share one.

    Attributes:
        load: The channel that fills the scratchpad.
        store: The channel that empties it.
        engine: The engine's.
    """

    load: str = "load"
    store: str = "store"
    engine: str = "engine"


def span_bytes(span: Span) -> int:
    """Bytes a span names."""
    return span_runs(span) * span.run_bytes


def span_runs(span: Span) -> int:
    """Contiguous runs of a span."""
    return prod(count for count, _ in span.repeats)


def box_cycles(span: Span, start_cycles: int, bytes_per_cycle: int) -> int:
    """Time of a transfer whose runs go through a bus one after the other."""
    return start_cycles + span_runs(span) * -(-span.run_bytes // bytes_per_cycle)


def scratchpad_bytes(parts: Sequence[tuple[int, int]], memory: Memory, *, slots: int = 2) -> int:
    """Scratchpad that :func:`pipelined` takes.

    Args:
        parts: For each operand and the result: bytes of its largest tile, and how many different
            tiles of it there are.
        memory: The scratchpad.
        slots: Tiles of each that are held at once.
    """
    return sum(_aligned(size, memory) * min(count, slots) for size, count in parts)


def pipelined(
    works: Sequence[Work],
    *,
    buffers: Sequence[Buffer],
    memory: Memory,
    transfer_cycles: Callable[[Span], int],
    queues: Queues | None = None,
    slots: int = 2,
    host_cycles: int = 0,
) -> Program:
    """The tile program of some works, in their order.

    Args:
        works: One for each tile.
        buffers: The main-memory buffers they load from and store to.
        memory: The scratchpad.
        transfer_cycles: Time of a transfer, from its main-memory end.
        queues: Names of the queues.
        slots: Tiles of each operand held at once: 2 runs transfers beside jobs, 1 never does.
        host_cycles: Host time for each step.
    """
    pipeline = _Pipeline(
        queues=queues or Queues(),
        transfer_cycles=transfer_cycles,
        slots=_slots(works, memory, slots),
    )
    tiles = [
        Tile(label=work.label, steps=tuple(pipeline.steps(work, following)))
        for work, following in zip(works, [*works[1:], None], strict=True)
    ]
    tiles.append(Tile(label="the last store", steps=(Wait(queue=pipeline.queues.store),)))
    local = [slot.buffer for group in pipeline.slots.values() for slot in group]
    return Program(
        buffers={buffer.name: buffer for buffer in (*buffers, *local)},
        tiles=tuple(tiles),
        host_cycles=host_cycles,
    )


@dataclass(kw_only=True, eq=False)
class _Slot:
    """A place in the scratchpad, what it holds, and the number of the tile that used it last."""

    buffer: Buffer
    held: Span | None = None
    used: int = -1

    def span(self, size: int) -> Span:
        return Span(buffer=self.buffer.name, offset_bytes=0, run_bytes=size)


@dataclass(kw_only=True, eq=False)
class _Pipeline:
    """The state of the scratchpad while the program is written down."""

    queues: Queues
    transfer_cycles: Callable[[Span], int]
    slots: Mapping[str, tuple[_Slot, ...]]
    _number: int = 0
    _loading: bool = False
    _storing: list[_Slot] = field(default_factory=list)

    def steps(self, work: Work, following: Work | None) -> Iterator[Step]:
        """The steps of one tile."""
        for name, span in work.loads.items():
            yield from self._load(name, span)
        if self._loading:
            yield Wait(queue=self.queues.load)
            self._loading = False
        operands = {name: self._holder(name, span) for name, span in work.loads.items()}
        for slot in operands.values():
            slot.used = self._number
        target = self._oldest(OUTPUT)
        if target in self._storing:
            yield self._stored()
        yield self._launch(work, operands, target)
        for name, span in following.loads.items() if following else ():
            if self._oldest(name).used < self._number:
                yield from self._load(name, span)
        yield Wait(queue=self.queues.engine)
        if self._storing:
            yield self._stored()
        yield self._transfer(
            self.queues.store, target.span(span_bytes(work.store)), work.store, work.store
        )
        target.used = self._number
        self._storing.append(target)
        self._number += 1

    def _stored(self) -> Wait:
        self._storing.clear()
        return Wait(queue=self.queues.store)

    def _load(self, name: str, span: Span) -> Iterator[Step]:
        """Start loading bytes that are not there."""
        if self._find(name, span):
            return
        slot = self._oldest(name)
        slot.held = span
        self._loading = True
        yield self._transfer(self.queues.load, span, slot.span(span_bytes(span)), span)

    def _find(self, name: str, span: Span) -> _Slot | None:
        return next((slot for slot in self.slots[name] if slot.held == span), None)

    def _holder(self, name: str, span: Span) -> _Slot:
        return self._find(name, span) or self._oldest(name)

    def _oldest(self, name: str) -> _Slot:
        return min(self.slots[name], key=lambda slot: slot.used)

    def _transfer(self, queue: str, source: Span, destination: Span, main: Span) -> Transfer:
        cycles = self.transfer_cycles(main)
        return Transfer(queue=queue, source=source, destination=destination, cycles=cycles)

    def _launch(self, work: Work, operands: Mapping[str, _Slot], target: _Slot) -> Launch:
        places = {**operands, OUTPUT: target}
        addresses = {name: slot.buffer.offset_bytes for name, slot in places.items()}
        return Launch(
            queue=self.queues.engine,
            kind=work.kind,
            job={**addresses, **work.job},
            reads=tuple(slot.span(span_bytes(work.loads[name])) for name, slot in operands.items()),
            writes=(target.span(span_bytes(work.store)),),
            cycles=work.cycles,
            macs=work.macs,
        )


def _slots(works: Sequence[Work], memory: Memory, most: int) -> dict[str, tuple[_Slot, ...]]:
    """Slots of every operand, one after the other, none more than there are different tiles."""
    names = dict.fromkeys(name for work in works for name in work.loads)
    wanted = {name: [work.loads[name] for work in works if name in work.loads] for name in names}
    wanted[OUTPUT] = [work.store for work in works]
    found = {}
    offset = 0
    for name, spans in wanted.items():
        size = _aligned(max(map(span_bytes, spans)), memory)
        group = []
        for number in range(min(most, len(set(spans)))):
            buffer = Buffer(
                name=f"{memory.name}_{name}{number}",
                memory=memory.name,
                size_bytes=size,
                offset_bytes=offset,
            )
            group.append(_Slot(buffer=buffer))
            offset += size
        found[name] = tuple(group)
    return found


def _aligned(size: int, memory: Memory) -> int:
    return -(-size // memory.align_bytes) * memory.align_bytes
