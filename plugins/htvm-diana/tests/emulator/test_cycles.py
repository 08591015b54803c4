"""Cycles counted from what ran, against MATCH's formulas worked out by hand."""

import diana_facts as facts
import numpy as np
import pytest

from htvm_diana.runtime import EmulatedChip


def cycles_of(chip, call):
    before = chip.cycles
    call()
    assert chip.error is None
    return chip.cycles - before


def fill(chip, *, l1_bytes=65_536):
    """Something in L1 and in all of the weight memory."""
    chip.load(0, l1_bytes)
    chip.wait()
    chip.load_weights(64_000)
    chip.wait()


@pytest.mark.parametrize(
    ("transfer", "expected"),
    [
        ({"size": 320}, 70 + 20),
        ({"size": 64, "count": 5, "near": 64, "far": 96}, 5 * (70 + 4)),
        ({"size": 64, "count": 5, "near": 64, "far": 64}, 70 + 20),
    ],
)
def test_transfers(chip, transfer, expected):
    def run():
        chip.load(0, **transfer)
        chip.wait()

    assert cycles_of(chip, run) == expected


def test_nothing_counts_before_its_wait(chip):
    assert cycles_of(chip, lambda: chip.load(0, 32)) == 0


def test_conv(chip):
    """Two groups of columns, two of channels; the first and the last row lose a kernel row."""
    fill(chip)
    full, edge = 3 * 3 * 3 + 2 * 3 * 3 + 23, 3 * 2 * 3 + 2 * 3 * 2 + 23

    def run():
        chip.run(
            mode=1, output=16_384, c=3, k=17, cx=20, cx_pitch=32, cy=9, channel_size=288,
            fx=3, fy=3, ox=20, oy=9, stride=1, pad_top=1, pad_bottom=1, pad_side=1,
        )  # fmt: skip

    assert cycles_of(chip, run) == 4 * (7 * full + 2 * edge)


def test_depthwise_is_one_launch_a_channel(chip):
    fill(chip)

    def run():
        chip.run(
            mode=2, output=16_384, c=5, k=5, cx=16, cx_pitch=16, cy=8, channel_size=128,
            fx=3, fy=3, ox=14, oy=6, stride=1,
        )  # fmt: skip

    assert cycles_of(chip, run) == 5 * 6 * (9 + 6 + 23)


def test_dense(chip):
    """The autoencoder's first layer, 640 to 128: a row of C + 2C + 23 per 16 outputs."""
    chip.constants[:] = 0
    fill(chip)

    def run():
        chip.run(mode=0, output=16_384, c=640, k=80)

    assert cycles_of(chip, run) == 5 * (3 * 640 + 23)


def test_sum(chip):
    """MATCH's row of 256 results with one input channel and a 1 x 1 kernel."""
    fill(chip)

    def run():
        chip.run(mode=3, input2=4096, output=16_384, c=528)

    assert cycles_of(chip, run) == 3 * 26


def test_slower_dma(build):
    chip = build(chip=EmulatedChip(dma_bytes_per_cycle=8, dma_chunk_cycles=10))

    def run():
        chip.load(0, 320)
        chip.wait()

    assert cycles_of(chip, run) == 10 + 40


def test_resnet8_first_layer_order_of_magnitude(chip):
    """68 cycles for each of 64 rows of 16 columns, less what the padding saves."""
    x, w = np.zeros((3, 32, 32), np.int8), np.zeros((16, 3, 3, 3), np.int8)
    chip.conv(x, w, np.zeros(16, np.int32), top=1, bottom=1, side=1)

    transfers = (70 + 3 * 1024 // 16) + (70 + (432 + 64) // 16) + (70 + 16 * 1024 // 16)
    assert chip.cycles - transfers == 64 * 68 - 4 * (3 * 3 + 2 * 3)
    assert facts.ceil16(32) == 32
