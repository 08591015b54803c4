"""Ways to damage a tile program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from damage import (
    Mutant,
    Subject,
    is_job,
    is_load,
    is_store,
    is_weight_load,
    moved,
    nth,
    record,
    with_step,
)

from htvm.target.program import Launch, Program, Step, Transfer, Wait
from htvm_diana.pack import conv2d_block_bytes


def in_program(
    name: str, layer: str, change: Callable[[Program], Program], *, static: bool = False
) -> Mutant:
    """Damage of a tile program."""

    def damage(sound: Subject) -> Subject:
        return sound.with_program(layer, change(sound.program(layer)))

    return Mutant(name=name, layer=layer, change=damage, static=static)


def in_step(
    name: str,
    layer: str,
    wanted: Callable[[Step], bool],
    change: Callable[[Step], Step | None],
    *,
    which: int = 0,
    static: bool = False,
) -> Mutant:
    """Damage of one step of a tile program."""

    def damage(program: Program) -> Program:
        return with_step(program, nth(program, wanted, which), change)

    return in_program(name, layer, damage, static=static)


def unwaited(
    name: str, layer: str, wanted: Callable[[Step], bool], which: int = 0, *, static: bool = True
) -> Mutant:
    """The wait after a step is gone.

    The checker knows queues, which finish in order what was started on them: where a later wait
    for the same queue comes in time it sees nothing wrong. The chip has one transfer at a time.
    """

    def damage(program: Program) -> Program:
        at = nth(program, wanted, which) + 1
        assert isinstance(program.steps[at], Wait)
        return with_step(program, at, lambda step: None)

    return in_program(name, layer, damage, static=static)


def source_by(amount: int) -> Callable[[Step], Step]:
    def change(step: Step) -> Step:
        assert isinstance(step, Transfer)
        return replace(step, source=moved(step.source, amount))

    return change


def destination_by(amount: int) -> Callable[[Step], Step]:
    def change(step: Step) -> Step:
        assert isinstance(step, Transfer)
        return replace(step, destination=moved(step.destination, amount))

    return change


def shorter(step: Step) -> Step:
    """32 bytes less of every chunk."""
    assert isinstance(step, Transfer)
    ends = (
        replace(span, run_bytes=span.run_bytes - 32) for span in (step.source, step.destination)
    )
    return replace(step, **dict(zip(("source", "destination"), ends, strict=True)))


def planes_closer(step: Step) -> Step:
    """Chunks 32 bytes closer to each other in L1."""
    assert isinstance(step, Transfer)
    ((count, stride),) = step.destination.repeats
    return replace(step, destination=replace(step.destination, repeats=((count, stride - 32),)))


def load_of_another_tile(program: Program) -> Program:
    """The last tile's input is brought from where the first tile's lies."""
    first = program.steps[nth(program, is_load)]
    assert isinstance(first, Transfer)

    def change(step: Step) -> Step:
        assert isinstance(step, Transfer)
        return replace(step, source=replace(step.source, offset_bytes=first.source.offset_bytes))

    return with_step(program, nth(program, is_load, -1), change)


def stores_swapped(program: Program) -> Program:
    """Two tiles of one shape are stored in each other's place."""
    first, second = (program.steps[nth(program, is_store, which)] for which in (0, 1))
    assert isinstance(first, Transfer)
    assert isinstance(second, Transfer)
    assert first.source == second.source
    swapped = with_step(program, nth(program, is_store, 0), lambda step: second)
    return with_step(swapped, nth(program, is_store, 1), lambda step: first)


def last_tile_skipped(program: Program) -> Program:
    assert len(program.tiles) > 1
    return replace(program, tiles=program.tiles[:-1])


def output_over_input(program: Program) -> Program:
    """The output's place in L1 is that of its neighbour, the input, in steps and records alike."""
    out = program.buffers["l1_out"]
    by = program.buffers["l1_in0"].offset_bytes - out.offset_bytes
    buffers = {**program.buffers, "l1_out": replace(out, offset_bytes=out.offset_bytes + by)}
    tiles = tuple(
        replace(
            tile,
            steps=tuple(
                record(output=by)(step) if isinstance(step, Launch) else step for step in tile.steps
            ),
        )
        for tile in program.tiles
    )
    return replace(program, buffers=buffers, tiles=tiles)


def sum_with_itself(step: Step) -> Step:
    assert isinstance(step, Launch)
    return replace(step, job={**step.job, "input2": step.job["input"]})


SCHEDULE = (
    unwaited("no wait between two loads", "conv", is_load, static=False),
    unwaited("no wait after a load of weights", "half", is_weight_load),
    unwaited("no wait after a job", "single", is_job),
    unwaited("no wait between a store and a load", "sum", is_store, static=False),
    unwaited("no wait at the end of a layer", "conv", is_store, -1),
    unwaited("no wait at the end of the last layer", "dense", is_store, -1),
    in_program("a tile's input is another tile's", "conv", load_of_another_tile),
    in_program("two tiles stored in each other's place", "conv", stores_swapped),
    in_program("last tile skipped", "single", last_tile_skipped, static=True),
    in_program("last tile of a sum skipped", "sum", last_tile_skipped, static=True),
    in_program("output moved onto its neighbour in L1", "half", output_over_input, static=True),
    in_step("input one row off", "conv", is_load, source_by(32)),
    in_step("load 32 bytes short", "conv", is_load, shorter, static=True),
    in_step("load of weights 32 bytes short", "half", is_weight_load, shorter, static=True),
    in_step("planes too close in L1", "conv", is_load, planes_closer, static=True),
    in_step(
        "weights brought to a wrong address", "half", is_weight_load, destination_by(16),
        static=True,
    ),
    in_step("weights of another block", "dense", is_weight_load, source_by(16 * 16)),
    in_step("store to the next channel", "single", is_store, destination_by(640), static=True),
    in_step("store one row off", "conv", is_store, destination_by(32), static=True),
    in_step("store 32 bytes short", "conv", is_store, shorter, static=True),
    in_step("job one row short", "conv", is_job, record(oy=-1)),
    in_step("job one group of 16 outputs short", "dense", is_job, record(k=-16)),
    in_step("job one channel short", "conv", is_job, record(c=-1)),
    in_step("planes further apart than they are", "conv", is_job, record(channel_size=32)),
    in_step("rows closer than they are", "conv", is_job, record(cx_pitch=-16, cx=-4)),
    in_step("zero row below instead of above", "conv", is_job, record(pad_top=-1, pad_bottom=1)),
    in_step("stride 1 for 2", "half", is_job, record(stride=-1)),
    in_step("shift one less", "conv", is_job, record(shift=-1)),
    in_step("shift of a sum one more", "sum", is_job, record(shift=1)),
    in_step("ReLU dropped", "conv", is_job, record(relu=-1)),
    in_step("ReLU added", "single", is_job, record(relu=1)),
    in_step("sum of an operand and itself", "sum", is_job, sum_with_itself),
    in_step("sum 32 elements short", "sum", is_job, record(c=-32)),
    in_step("job reads another block's weights", "conv", is_job,
            record(weights=conv2d_block_bytes(5, (3, 3)))),
)  # fmt: skip
