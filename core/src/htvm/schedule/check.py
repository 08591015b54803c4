"""Checks a tile program without running it, byte by byte."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from htvm.errors import PluginError
from htvm.ir.layout import Layout
from htvm.ir.tensor import Tensor
from htvm.schedule.occupancy import Claim, Flags, Occupancy, span_bytes
from htvm.target.hardware import Memory
from htvm.target.program import Launch, Program, Span, Step, Transfer, Wait

RECOMPUTES = "recomputes"
"""A program's note that begins so declares that it may write output bytes more than once."""


def check_program(
    name: str, program: Program, tensor: Tensor, layout: Layout, memories: Mapping[str, Memory]
) -> None:
    """Play a program's steps and see that every byte is there when it is needed.

    Nothing may be read before what writes it is done and waited for; nothing may be written while
    it is being written or read; everything must lie inside its buffer and memory; and at the end
    every output byte the layout places an element in, or fills, must have been written, once.

    Args:
        name: The layer's name, for the error.
        program: The tile program.
        tensor: The layer's output.
        layout: The output's layout.
        memories: The chip's memories.

    Raises:
        PluginError: E620, naming layer, tile and step.
    """
    occupancy = Occupancy(buffers=program.buffers, memories=memories)
    fault = occupancy.outside()
    if fault:
        raise _error(name, "buffers", fault)
    open_claims: dict[str, list[Claim]] = {}
    for tile in program.tiles:
        for number, step in enumerate(tile.steps):
            fault = _play(occupancy, open_claims, step)
            if fault:
                raise _error(name, f"tile {tile.label!r}, step {number} ({_title(step)})", fault)
    running = sorted(queue for queue, claims in open_claims.items() if claims)
    if running:
        raise _error(name, "end", f"nothing waits for what was started on {', '.join(running)}")
    fault = _output_fault(occupancy.writes(), program, tensor, layout)
    if fault:
        raise _error(name, "end", fault)


def _play(occupancy: Occupancy, open_claims: dict[str, list[Claim]], step: Step) -> str | None:
    if isinstance(step, Wait):
        for claim in open_claims.pop(step.queue, []):
            occupancy.finish(claim)
        return None
    reads, writes = _spans(step)
    if isinstance(step, Transfer) and span_bytes(step.source) != span_bytes(step.destination):
        sizes = f"{span_bytes(step.source)} bytes to {span_bytes(step.destination)}"
        return f"moves {sizes}"
    if isinstance(step, Transfer):
        fault = occupancy.copy(step.source, step.destination)
    else:
        fault = occupancy.launch(reads, writes)
    claims = open_claims.setdefault(step.queue, [])
    claims += [Claim(span=span, writes=False) for span in reads]
    claims += [Claim(span=span, writes=True) for span in writes]
    return fault


def _spans(step: Transfer | Launch) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    if isinstance(step, Transfer):
        return (step.source,), (step.destination,)
    return step.reads, step.writes


def _output_fault(writes: Flags, program: Program, tensor: Tensor, layout: Layout) -> str | None:
    size = tensor.dtype.size_bytes
    if writes.size != layout.size_bytes(tensor.dtype):
        return f"the output has {writes.size} bytes, its layout {layout.size_bytes(tensor.dtype)}"
    elements = writes.reshape(-1, size)
    counts = elements[layout.addresses(tensor.shape)]
    missing = np.argwhere((counts == 0).any(axis=-1))
    if missing.size:
        return f"never writes {len(missing)} elements, the first at {tuple(map(int, missing[0]))}"
    if layout.fill is not None and (writes == 0).any():
        return f"never fills byte {int(np.argmin(writes))} of the output"
    if any(note.startswith(RECOMPUTES) for note in program.notes):
        return None
    twice = np.argwhere((counts > 1).any(axis=-1))
    if twice.size:
        return f"writes {len(twice)} elements again, the first at {tuple(map(int, twice[0]))}"
    return None


def _title(step: Step) -> str:
    if isinstance(step, Transfer):
        return f"transfer {step.source.buffer} to {step.destination.buffer}"
    return f"job {step.kind}" if isinstance(step, Launch) else f"wait for {step.queue}"


def _error(name: str, where: str, fault: str) -> PluginError:
    return PluginError(
        f"the tile program of layer {name} is wrong",
        code="E620",
        seen=f"{where}: {fault}",
        accepted="a program in which every byte is there when it is needed",
        hint="report this to the plug-in's author",
    )
