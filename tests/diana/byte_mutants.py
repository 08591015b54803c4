"""Ways to damage packed weights, conversions, the printed C and the memory plan."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from damage import Bytes, Mutant, Subject

from htvm_diana.pack import conv2d_block_bytes, depthwise_block_bytes, reverse_words


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


def converted(name: str, layer: str, conversion: str, **changes: object) -> Mutant:
    """The conversion of a layer's input made for a slightly different layout."""

    def damage(sound: Subject) -> Subject:
        return sound.with_conversion(layer, lambda layout: replace(layout, **changes))  # type: ignore[arg-type]

    return Mutant(name=name, layer=conversion, change=damage)


def printed(name: str, layer: str, old: str, new: str | Callable[[re.Match[str]], str]) -> Mutant:
    """Damage of the C of a layer; ``old`` is a pattern."""
    return Mutant(name=name, layer=layer, change=lambda sound: sound.with_body(layer, old, new))


def changed_by(amount: int) -> Callable[[re.Match[str]], str]:
    """The number the pattern ends in, and what comes before it."""
    return lambda found: f"{found[1]}{int(found[2]) + amount}"


def unopened(sound: Subject) -> Subject:
    return replace(sound, text=(("    htvm_diana_begin(", "    (void)(regions, "),))


PRINTED = (
    converted("input not byte-reversed", "conv", "input0_as_digital_rows", word_bytes=1),
    converted("zeros of the padding forgotten", "half", "sum_as_digital_zero_columns", fill=None),
    printed("loop one turn short", "single", r"(i < )(\d+)", changed_by(-1)),
    printed("loop one turn long", "sum", r"(i < )(\d+)", changed_by(1)),
    printed("wait not printed", "conv", r"htvm_diana_wait\(\);", ""),
    printed("job not printed", "half", r"htvm_diana_start\(&job\);", "(void)job;"),
    printed("zero columns not asked for", "conv", r"\.pad_side = 1", ".pad_side = 0"),
    printed("step of a loop wrong", "single", r"(\.weights = .*?i \* )(\d+)", changed_by(-16)),
    printed(
        "transfer of one plane instead of all",
        "conv",
        r"(load\(.*), 5, \d+, \d+\)",
        r"\1, 1, 0, 0)",
    ),
    Mutant(name="session not opened", layer="conv", change=unopened),
)


def together(sound: Subject) -> Subject:
    """``single`` writes over what ``sum`` still reads."""
    return sound.with_offsets(lambda places: {"single_out": places["conv_out"]})


def into_neighbour(sound: Subject) -> Subject:
    """``single``'s result begins 64 bytes inside ``conv``'s, which is still needed."""
    memory = sound.done.memory
    assert memory is not None
    blocks = {block.name: block for block in memory.blocks}
    end = blocks["conv_out"].offset_bytes + blocks["conv_out"].size_bytes
    assert blocks["single_out"].offset_bytes == end
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
