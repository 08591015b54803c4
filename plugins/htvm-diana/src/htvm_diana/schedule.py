"""From the tiler's choice to the tile program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from htvm.api import Buffer, Constant, Launch, Program, Span, Step, Tile, Transfer, Wait
from htvm_diana.packing import WEIGHTS
from htvm_diana.problem import Choice, Job, Move, Problem, TilePlan
from htvm_diana.rewrites import Realisation

DMA = "dma"
CORE = "digital"
OUTPUT = "l1_out"
WEIGHT_MEMORY = "weight_memory"

MODES = {"dense": 0, "conv2d": 1, "depthwise": 2, "sum": 3}
"""``HTVM_DIANA_...`` of each kind of job."""
_PLANE_FIELDS = (
    *("cx", "cx_pitch", "cy", "channel_size", "fx", "fy", "ox", "oy"),
    *("stride", "pad_top", "pad_bottom", "pad_side"),
)


def program(
    one: Realisation, choice: Choice, packed: tuple[Constant, ...], step_cycles: int = 0
) -> Program:
    """The tile program of a layer.

    Args:
        one: The layer as it was rewritten.
        choice: The tiler's schedule for it.
        packed: Its packed weights.
        step_cycles: Host cycles to start and to await one step.
    """
    buffers = {buffer.name: buffer for buffer in _buffers(one, choice, packed)}
    tiles = tuple(
        Tile(label=_label(choice.problem, tile), steps=tuple(_steps(one, tile, buffers)))
        for tile in choice.tiles
    )
    return Program(buffers=buffers, tiles=tiles, host_cycles=step_cycles // 2)


def _buffers(one: Realisation, choice: Choice, packed: tuple[Constant, ...]) -> Iterator[Buffer]:
    for number, layout in enumerate(one.inputs):
        yield Buffer(name=f"in{number}", memory="l2", size_bytes=layout.size, role="input")
    yield Buffer(name="out", memory="l2", size_bytes=one.output.size, role="output")
    for item in packed:
        yield Buffer(name=item.name, memory="l2", size_bytes=item.data.size, role="constant")
    local = [(f"l1_in{number}", "l1", region) for number, region in enumerate(choice.inputs)]
    local.append((OUTPUT, "l1", choice.output))
    if packed:
        local.append((WEIGHT_MEMORY, "weights", choice.weights))
    for name, memory, region in local:
        yield Buffer(
            name=name,
            memory=memory,
            size_bytes=region.size_bytes,
            offset_bytes=region.offset_bytes,
        )


def _steps(one: Realisation, tile: TilePlan, buffers: Mapping[str, Buffer]) -> Iterator[Step]:
    for move in tile.loads:
        yield from (_transfer(move, buffers), Wait(queue=DMA))
    for job in tile.jobs:
        yield from (_launch(one, job, buffers), Wait(queue=CORE))
    for move in tile.stores:
        yield from (_transfer(move, buffers), Wait(queue=DMA))


def _transfer(move: Move, buffers: Mapping[str, Buffer]) -> Transfer:
    names = {
        "load": (f"in{move.operand}", f"l1_in{move.operand}"),
        "weights": (WEIGHTS, WEIGHT_MEMORY),
        "store": ("out", OUTPUT),
    }
    main_name, local_name = names[move.kind]
    local_name = local_name if local_name in buffers else "l1_in0"
    many = move.count > 1
    main = Span(
        buffer=main_name,
        offset_bytes=move.main_bytes,
        run_bytes=move.chunk_bytes,
        repeats=((move.count, move.main_stride_bytes),) if many else (),
    )
    local = Span(
        buffer=local_name,
        offset_bytes=move.local_bytes - buffers[local_name].offset_bytes,
        run_bytes=move.chunk_bytes,
        repeats=((move.count, move.local_stride_bytes),) if many else (),
    )
    source, destination = (local, main) if move.kind == "store" else (main, local)
    return Transfer(queue=DMA, source=source, destination=destination, cycles=move.cycles)


def _launch(one: Realisation, job: Job, buffers: Mapping[str, Buffer]) -> Launch:
    return Launch(
        queue=CORE,
        kind=job.kind,
        job=_record(one, job),
        reads=tuple(_reads(job, buffers)),
        writes=(_local(buffers, OUTPUT, job.output, job.output_bytes),),
        cycles=job.cycles,
        macs=job.macs,
    )


def _record(one: Realisation, job: Job) -> dict[str, int]:
    """The fields of ``htvm_diana_job``; those its mode does not use are left out."""
    fields = {"mode": MODES[job.kind], "input": job.input}
    if job.kind == "sum":
        fields |= {"input2": job.input2, "output": job.output, "c": job.c}
    else:
        fields |= {"output": job.output, "weights": job.weights, "c": job.c, "k": job.k}
        fields["relu"] = int(one.relu)
    fields["shift"] = one.shift
    if job.kind in {"conv2d", "depthwise"}:
        fields |= {name: getattr(job, name) for name in _PLANE_FIELDS}
    return fields


def _reads(job: Job, buffers: Mapping[str, Buffer]) -> Iterator[Span]:
    if job.weight_bytes:
        yield _local(buffers, WEIGHT_MEMORY, job.weights, job.weight_bytes)
    if job.kind == "sum":
        yield _local(buffers, "l1_in0", job.input, job.c)
        yield _local(buffers, "l1_in1", job.input2, job.c)
    elif job.kind == "dense":
        yield _local(buffers, "l1_in0", job.input, -(-job.c // 16) * 16)
    else:
        repeats = ((job.c, job.channel_size), (job.cy, job.cx_pitch))
        yield _local(buffers, "l1_in0", job.input, job.cx, repeats)


def _local(
    buffers: Mapping[str, Buffer],
    name: str,
    address: int,
    run_bytes: int,
    repeats: tuple[tuple[int, int], ...] = (),
) -> Span:
    offset = address - buffers[name].offset_bytes
    kept = tuple((count, stride) for count, stride in repeats if count > 1)
    return Span(buffer=name, offset_bytes=offset, run_bytes=run_bytes, repeats=kept)


def _label(problem: Problem, tile: TilePlan) -> str:
    def span(what: str, ends: tuple[int, int]) -> str:
        return f"{what} {ends[0]}..{ends[1] - 1}"

    if problem.kind in {"dense", "sum"}:
        return span("elements", tile.k)
    parts = [span("channels", tile.k), span("rows", tile.y)]
    if tile.x != (0, problem.output.columns):
        parts.append(span("columns", tile.x))
    return ", ".join(parts)
