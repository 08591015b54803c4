"""Small damage to weights, schedule and C, each of which verification must notice."""

from dataclasses import replace

import numpy as np
import pytest
from diana_layers import (
    Case,
    add_graph,
    all_tilings,
    conv_graph,
    dense_graph,
    layer_of,
    run,
    with_memories,
)

from htvm.api import LayerCode, PluginError, Program, Transfer, Wait
from htvm_diana import pack
from htvm_diana.emit import emit
from htvm_diana.runtime import EmulatedChip

TINY = with_memories(l1=8_192, weights=8_192)
CHIP = EmulatedChip(l1_bytes=8_192, weight_bytes=8_192)


def case_of(graph):
    layer = layer_of(graph, TINY)
    return Case(graph=graph, layer=layer, tiling=all_tilings(layer, TINY)[0], hardware=TINY)


def conv():
    return case_of(conv_graph(0, shape=(16, 20, 20), outputs=32))


def dense():
    return case_of(dense_graph(0, shape=(64,), outputs=40))


def depthwise():
    return case_of(conv_graph(0, shape=(20, 12, 12), outputs=20, groups=20))


def sums():
    return case_of(add_graph(shape=(16, 16, 16)))


def in_code(case, old, new, count=1):
    assert old in case.code.body
    body = case.code.body.replace(old, new, count)
    case.code = LayerCode(body=body, includes=case.code.includes)
    return case


def ending_early(case):
    body = case.code.body[: case.code.body.rindex("htvm_diana_wait")]
    case.code = LayerCode(body=body, includes=case.code.includes)
    return case


def in_weights(case, change):
    data = case.packed[0].data.copy()
    changed = change(data)
    case.packed = (replace(case.packed[0], data=data if changed is None else changed),)
    return case


def in_steps(case, change):
    tiles = tuple(replace(tile, steps=tuple(change(tile.steps))) for tile in case.program.tiles)
    case.program = Program(buffers=case.program.buffers, tiles=tiles)
    case.code = emit(case.program, "")
    return case


def moved(steps, side, by):
    for step in steps:
        if isinstance(step, Transfer) and step.source.buffer != "weights":
            span = getattr(step, side)
            yield replace(step, **{side: replace(span, offset_bytes=span.offset_bytes + by)})
        else:
            yield step


def swapped_planes(data):
    block = pack.conv2d_block_bytes(16, (3, 3))
    planes = data[block - 64 : block].reshape(4, 16)
    data[block - 64 : block] = planes[[1, 0, 2, 3]].reshape(-1)


def swapped_blocks(data):
    block = pack.conv2d_block_bytes(16, (3, 3))
    data[: 2 * block] = np.concatenate([data[block : 2 * block], data[:block]])


SILENT = {
    "weights not reversed": lambda: in_weights(conv(), pack.reverse_words),
    "bias planes swapped": lambda: in_weights(conv(), swapped_planes),
    "blocks of channels swapped": lambda: in_weights(conv(), swapped_blocks),
    "one weight off by one": lambda: in_weights(
        dense(), lambda data: data.__setitem__(19, data[19] ^ 64)
    ),
    "depthwise slots shifted": lambda: in_weights(depthwise(), lambda data: np.roll(data, 4)),
    "no wait after a load": lambda: in_code(conv(), "htvm_diana_wait();", ""),
    "no wait after the last store": lambda: ending_early(dense()),
    "relu switched on": lambda: in_code(conv(), ".relu = 0", ".relu = 1", -1),
    "shift off by one": lambda: in_code(conv(), ".shift = 9", ".shift = 8", -1),
    "padding forgotten": lambda: in_code(conv(), ".pad_side = 1", ".pad_side = 0", -1),
    "input one row down": lambda: in_steps(conv(), lambda steps: moved(steps, "source", 32)),
    "output one row down": lambda: in_steps(conv(), lambda steps: moved(steps, "destination", 32)),
    "operand loaded twice": lambda: in_code(sums(), "in1 +", "in0 +", -1),
    "pitch of the next width": lambda: in_code(conv(), ".cx_pitch = 32", ".cx_pitch = 48", -1),
    "rows of another tile": lambda: in_code(conv(), ".oy = ", ".oy = 1 + ", -1),
}


@pytest.mark.parametrize("mutant", SILENT.values(), ids=SILENT)
def test_running_shows_the_damage(mutant, tmp_path):
    case = mutant()
    ((_, error, output),) = run([case], tmp_path, chip=CHIP, flags=("-O1",))
    assert error or not np.array_equal(output, case.expected)


def without_waits(steps):
    return [step for step in steps if not isinstance(step, Wait)]


def overlapping(case):
    buffers = dict(case.program.buffers)
    buffers["l1_out"] = replace(buffers["l1_out"], offset_bytes=TINY.memories["l1"].size_bytes)
    case.program = Program(buffers=buffers, tiles=case.program.tiles)
    return case


CHECKED = {
    "no waits": lambda: in_steps(conv(), without_waits),
    "job before its input": lambda: in_steps(sums(), lambda steps: steps[4:] + steps[:4]),
    "store beyond the output": lambda: in_steps(
        conv(), lambda steps: moved(steps, "destination", 1 << 20)
    ),
    "a tile not stored": lambda: in_steps(conv(), lambda steps: steps[:-2]),
    "buffer beyond l1": lambda: overlapping(conv()),
}


@pytest.mark.parametrize("mutant", CHECKED.values(), ids=CHECKED)
def test_the_checker_names_layer_and_tile(mutant):
    with pytest.raises(PluginError, match="layer") as caught:
        mutant().check()
    assert caught.value.seen
