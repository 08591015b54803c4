"""The net has no holes: each way to damage a network is noticed, and the layer is named.

The sound network passes. Then one thing in it is wrong: a step of a schedule, a byte of the packed
weights, a token of the C, a place in memory. Damage of a schedule has to be noticed on the emulated
core even though the checker of tile programs, which would have stopped it, is passed by; and what
that checker can know, it has to notice as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from damage import (
    LAYERS,
    Bytes,
    Change,
    Subject,
    is_job,
    is_load,
    is_store,
    is_weight_load,
    moved,
    nth,
    record,
    running,
    statically,
    subject,
    with_step,
)

from htvm.target.program import Launch, Program, Step, Transfer, Wait
from htvm_diana.pack import conv2d_block_bytes, depthwise_block_bytes, reverse_words

INPUT = "input0_as_digital_rows"
ZEROS = "sum_as_digital_zero_columns"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One kind of damage.

    Attributes:
        name: What is wrong.
        layer: The layers one of which must be named.
        change: Does the damage.
        static: Whether the checker of tile programs must notice it.
    """

    name: str
    layer: str
    change: Change
    static: bool = False


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


def bias_planes_swapped(block: int, plane: int) -> Callable[[Bytes], Bytes]:
    """Two neighbouring byte planes of the first block's bias, in the order given."""

    def change(data: Bytes) -> Bytes:
        start = block - 64 + 16 * plane
        low, high = data[start : start + 16].copy(), data[start + 16 : start + 32].copy()
        data[start : start + 16], data[start + 16 : start + 32] = high, low
        return data

    return change


def blocks_swapped(block: int) -> Callable[[Bytes], Bytes]:
    def change(data: Bytes) -> Bytes:
        table = data[: 2 * block].reshape(2, block)
        return np.concatenate([table[::-1].reshape(-1), data[2 * block :]])

    return change


def weights_only_swapped(block: int) -> Callable[[Bytes], Bytes]:
    """The weights of two blocks change places, their biases stay."""

    def change(data: Bytes) -> Bytes:
        table = data[: 2 * block].reshape(2, block)
        table[:, :-64] = table[::-1, :-64].copy()
        return data

    return change


def bias_of_unpadded_channels(data: Bytes) -> Bytes:
    """The last block's bias taken as if its channels were not filled up to 16, as DORY did."""
    planes = reverse_words(data[-64:]).reshape(4, 16)
    data[-64:] = reverse_words(np.concatenate([planes[:, :5].reshape(-1), np.zeros(44, np.uint8)]))
    return data


def one_slot_on(data: Bytes) -> Bytes:
    """Every depthwise channel one slot further than where the core looks for it."""
    return reverse_words(np.roll(reverse_words(data), 1))


def bias_not_sign_extended(data: Bytes) -> Bytes:
    block = reverse_words(data[-256:]).reshape(16, 16)
    block[:, 4:] = 0
    data[-256:] = reverse_words(block.reshape(-1))
    return data


def rows_and_columns_swapped(data: Bytes) -> Bytes:
    """Kernels transposed: ``[c][kx][ky]`` for ``[c][ky][kx]``."""
    block = conv2d_block_bytes(5, (3, 3))
    body = data[: block - 64].reshape(5, 3, 3, 16)
    data[: block - 64] = body.transpose(0, 2, 1, 3).reshape(-1)
    return data


def packed(name: str, layer: str, change: Callable[[Bytes], Bytes]) -> Mutant:
    """Damage of packed weights."""
    return Mutant(name=name, layer=layer, change=lambda sound: sound.with_weights(layer, change))


CONV_BLOCK = conv2d_block_bytes(5, (3, 3))
PACKERS = (
    packed("bias planes swapped", "conv", bias_planes_swapped(CONV_BLOCK, 0)),
    packed("high bias planes swapped", "conv", bias_planes_swapped(CONV_BLOCK, 1)),
    packed("weights and biases of two blocks swapped", "conv", blocks_swapped(CONV_BLOCK)),
    packed("weights of two blocks swapped", "half",
           weights_only_swapped(conv2d_block_bytes(37, (3, 3)))),
    packed("weights of two depthwise blocks swapped", "single",
           weights_only_swapped(depthwise_block_bytes((3, 3)))),
    packed("words of convolution weights not reversed", "conv", reverse_words),
    packed("words of depthwise weights not reversed", "single", reverse_words),
    packed("words of dense weights not reversed", "dense", reverse_words),
    packed("bias planes of 5 channels, not of 16", "conv", bias_of_unpadded_channels),
    packed("depthwise channels one slot on", "single", one_slot_on),
    packed("dense bias not sign extended", "dense", bias_not_sign_extended),
    packed("kernels transposed", "conv", rows_and_columns_swapped),
)  # fmt: skip


def converted(name: str, step: str, reader: str, **changes: object) -> Mutant:
    """A conversion made for a slightly different layout."""

    def damage(sound: Subject) -> Subject:
        return sound.with_conversion(step, lambda layout: replace(layout, **changes))  # type: ignore[arg-type]

    return Mutant(name=name, layer=f"{step} {reader}", change=damage)


def printed(name: str, layer: str, old: str, new: str) -> Mutant:
    """Damage of the C of a layer; ``old`` is a pattern."""
    return Mutant(name=name, layer=layer, change=lambda sound: sound.with_body(layer, old, new))


def unopened(sound: Subject) -> Subject:
    return replace(sound, text=(("    htvm_diana_begin(", "    (void)(regions, "),))


PRINTED = (
    converted("input not byte-reversed", INPUT, "conv", word_bytes=1),
    converted("zeros of the padding forgotten", ZEROS, "half", fill=None),
    printed("loop one turn short", "single", r"< 8;", "< 7;"),
    printed("loop one turn long", "sum", r"< 8;", "< 9;"),
    printed("wait not printed", "conv", r"htvm_diana_wait\(\);", ""),
    printed("job not printed", "half", r"htvm_diana_start\(&job\);", "(void)job;"),
    printed("zero columns not asked for", "conv", r"\.pad_side = 1", ".pad_side = 0"),
    printed("step of a loop wrong", "single", r"i \* 208", "i * 192"),
    printed("transfer of one plane instead of all", "conv", r"384, 5, 384, 640", "384, 1, 0, 0"),
    Mutant(name="session not opened", layer="conv", change=unopened),
)


def together(sound: Subject) -> Subject:
    """``single`` writes over what ``sum`` still reads."""
    return sound.with_offsets(lambda places: {"single_out": places["conv_out"]})


def into_neighbour(sound: Subject) -> Subject:
    """``single``'s result begins 64 bytes inside ``conv``'s, which is still needed."""
    memory = sound.done.memory
    assert memory is not None
    ends = {block.name: block.offset_bytes + block.size_bytes for block in memory.blocks}
    assert memory.offsets["single_out"] == ends["conv_out"]
    return sound.with_offsets(lambda places: {"single_out": places["single_out"] - 64})


def off_words(sound: Subject) -> Subject:
    return sound.with_offsets(lambda places: {"conv_out": places["conv_out"] + 2})


def arena_too_small(sound: Subject) -> Subject:
    return sound.with_memory(lambda plan: replace(plan, arena_bytes=plan.arena_bytes - 64))


def beyond_the_arena(sound: Subject) -> Subject:
    return sound.with_offsets(lambda places: {"single_out": places["single_out"] + 32})


MEMORY = (
    Mutant(name="two lifetimes overlap", layer="single sum", change=together),
    Mutant(name="buffer moved into its neighbour", layer="single sum", change=into_neighbour),
    Mutant(name="buffer between words", layer="conv", change=off_words),
    Mutant(name="arena too small", layer="single", change=arena_too_small),
    Mutant(name="buffer beyond the arena", layer="single", change=beyond_the_arena),
)
MUTANTS = (*SCHEDULE, *PACKERS, *PRINTED, *MEMORY)


@pytest.fixture(scope="module")
def sound() -> Subject:
    return subject()


def test_the_sound_network_passes(sound: Subject) -> None:
    assert sound.done.dispatch is not None
    engines = {step.name: step.engine for step in sound.done.dispatch.layers}
    assert {name: engines[name] for name in LAYERS} == dict.fromkeys(LAYERS, "digital")
    kinds = {
        step.kind
        for name in LAYERS
        for step in sound.program(name).steps
        if is_job(step)  # type: ignore[union-attr]
    }
    assert kinds == {"conv2d", "depthwise", "sum", "dense"}
    assert all(len(sound.program(name).tiles) > 1 for name in LAYERS)
    assert statically(sound) is None
    assert running(sound) is None


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_damage_is_noticed(mutant: Mutant, sound: Subject) -> None:
    damaged = mutant.change(sound)
    checked = statically(damaged)
    assert (checked is not None) == mutant.static
    if checked is not None:
        assert checked.layer == mutant.layer
    noticed = running(damaged)
    assert noticed is not None
    assert noticed.layer in mutant.layer.split(), noticed.text
