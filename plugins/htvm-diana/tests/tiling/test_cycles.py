"""The two public cycle models, against what their authors and others computed from them."""

import numpy as np
import pytest

from htvm.api import Engine, Hardware, Memory, PluginError
from htvm_diana.cycles import (
    Core,
    core_of,
    dense_cycles,
    launches,
    row_cycles,
    sum_cycles,
    transfer_cycles,
)
from htvm_diana.problem import Problem, planes

MATCH = Core(l1_bytes=256_000, weight_bytes=64_000)
ODIMO = Core(l1_bytes=256_000, weight_bytes=64_000, model="odimo")
CLOCK_HZ = 260e6


def conv(c, k, shape, kernel, *, stride=1, kind="conv2d"):
    pads = [(size - 1) // 2 for size in kernel]
    size = [(n + 2 * p - f) // stride + 1 for n, p, f in zip(shape, pads, kernel, strict=True)]
    return Problem(
        kind=kind,
        inputs=(planes(c, *shape),),
        output=planes(k, *size),
        kernel=kernel,
        stride=stride,
        pad_top=pads[0],
        pad_side=pads[1],
    )


def compute(core, problem):
    channels = 1 if problem.kind == "depthwise" else problem.c
    groups = -(-problem.output.columns // 16)
    return (
        launches(core, problem, problem.k) * groups * int(row_cycles(core, problem, channels).sum())
    )


RESNET8 = [
    conv(3, 16, (32, 32), (3, 3)),
    *[conv(16, 16, (32, 32), (3, 3))] * 2,
    conv(16, 32, (32, 32), (3, 3), stride=2),
    conv(16, 32, (32, 32), (1, 1), stride=2),
    conv(32, 32, (16, 16), (3, 3)),
    conv(32, 64, (16, 16), (3, 3), stride=2),
    conv(32, 64, (16, 16), (1, 1), stride=2),
    conv(64, 64, (8, 8), (3, 3)),
]
AUTOENCODER = [(640, 128), *[(128, 128)] * 3, (128, 8), (8, 128), *[(128, 128)] * 3, (128, 640)]


def mobilenet():
    yield conv(3, 8, (96, 96), (3, 3), stride=2)
    channels, size = 8, 48
    pairs = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)]
    for outputs, stride in [*pairs, *[(128, 1)] * 5, (256, 2), (256, 1)]:
        yield conv(channels, channels, (size, size), (3, 3), stride=stride, kind="depthwise")
        size //= stride
        yield conv(channels, outputs, (size, size), (1, 1))
        channels = outputs


@pytest.mark.parametrize(
    ("layers", "milliseconds", "tolerance"), [(RESNET8, 0.43, 0.1), (list(mobilenet()), 2.24, 0.1)]
)
def test_match_gives_the_published_order_of_whole_networks(layers, milliseconds, tolerance):
    total = sum(compute(MATCH, layer) for layer in layers)

    assert total / CLOCK_HZ * 1e3 == pytest.approx(milliseconds, rel=tolerance)


def test_match_gives_the_published_autoencoder():
    total = sum(dense_cycles(MATCH, c, k) for c, k in AUTOENCODER)

    assert total / CLOCK_HZ * 1e3 == pytest.approx(0.20, abs=0.005)


def test_match_by_hand():
    """One row of 16 columns x 16 channels: C (FY-q) FX + 2 C (FY-q) + 23."""
    layer = conv(3, 16, (4, 16), (3, 3))

    assert row_cycles(MATCH, layer, 3).tolist() == [53, 68, 68, 53]


def test_odimo_by_hand():
    layer = conv(20, 33, (7, 20), (5, 3))

    assert compute(ODIMO, layer) == 3 * 20 * 2 * 7 * 5 * 3


@pytest.mark.parametrize("together", [1, 4])
def test_depthwise_launches(together):
    core = Core(l1_bytes=1, weight_bytes=1, depthwise_channels_per_launch=together)
    layer = conv(30, 30, (8, 8), (3, 3), kind="depthwise")

    assert launches(core, layer, 30) == (30 if together == 1 else 8)


def test_sum_is_a_row_for_256_elements():
    assert sum_cycles(MATCH, 257) == 2 * 26
    assert sum_cycles(ODIMO, 257) == 2


@pytest.mark.parametrize(("chunk", "count", "cycles"), [(64, 1, 74), (64, 5, 5 * 74), (32, 3, 216)])
def test_transfers(chunk, count, cycles):
    assert transfer_cycles(MATCH, chunk, count) == cycles


def test_transfers_of_many_tiles_at_once():
    np.testing.assert_array_equal(transfer_cycles(MATCH, np.array([32, 64]), 2), [144, 148])


def chip(**changes):
    parameters = {
        "columns": 16,
        "channels": 16,
        "dma_length_bytes": 32,
        "dma_l1_align_bytes": 16,
        "cycle_model": "match",
        "row_cycles": 23,
        "dma_bytes_per_cycle": 16,
        "dma_chunk_cycles": 70,
        "dma_stride_max_bytes": 65_535,
        "depthwise_channels_per_launch": 1,
        **changes,
    }
    sizes = {"l2": 1000, "l1": 256_000, "weights": 64_000}
    return Hardware(
        name="diana",
        description="",
        clock_hz=1,
        memories={name: Memory(name=name, size_bytes=size) for name, size in sizes.items()},
        engines={"digital": Engine(name="digital", parameters=parameters)},
        main_memory="l2",
        stack_bytes=0,
    )


def test_numbers_come_from_the_hardware_description():
    core = core_of(chip(cycle_model="odimo", dma_bytes_per_cycle=8, step_cycles=12))

    assert (core.model, core.dma_bytes_per_cycle, core.step_cycles) == ("odimo", 8, 12)
    assert (core.l1_bytes, core.weight_bytes) == (256_000, 64_000)


@pytest.mark.parametrize(
    "changes", [{"cycle_model": "guess"}, {"columns": 32}, {"dma_bytes_per_cycle": 0}]
)
def test_numbers_the_layouts_are_not_built_for_are_refused(changes):
    with pytest.raises(PluginError, match="digital"):
        core_of(chip(**changes))
