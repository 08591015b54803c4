"""Drive a sanitized emulation in a process of its own: ``python sanitized_run.py LIBRARY``."""

import sys

import diana_facts as facts
import numpy as np
from diana_bench import Emulator


def check_results(library):
    rng = np.random.default_rng(0)
    chip = Emulator(library)
    chip.begin()
    x = rng.integers(-128, 128, (5, 11, 21), np.int8)
    bias = rng.integers(-(2**31), 2**31 - 1, 18).astype(np.int32)
    how = {"stride": 2, "top": 2, "bottom": 1, "side": 3, "shift": 9, "relu": 1}

    w = rng.integers(-128, 128, (18, 5, 5, 7), np.int8)
    assert (chip.conv(x, w, bias, **how) == facts.conv(x, w, bias, **how)).all()
    print("conv")
    w = w[:5, 0]
    expected = facts.depthwise(x, w, bias[:5], **how)
    assert (chip.depthwise(x, w, bias[:5], **how) == expected).all()
    print("depthwise")
    x, w = x.reshape(-1)[:55], rng.integers(-128, 128, (18, 55), np.int8)
    assert (chip.dense(x, w, bias, shift=8) == facts.dense(x, w, bias, shift=8)).all()
    print("dense")
    x = rng.integers(-128, 128, 96, np.int8)
    assert (chip.add(x, x[::-1], shift=1) == facts.add(x, x[::-1], shift=1)).all()
    print("sum")
    chip.end()


def check_faults(library):
    """Wild values in every field: a fault or a result, never a sanitizer report."""
    rng = np.random.default_rng(1)
    addresses = ["input", "input2", "output", "weights"]
    sizes = ["c", "k", "cx", "cx_pitch", "cy", "channel_size", "fx", "fy", "ox", "oy", "shift"]
    wild = [0, 1, 3, 5, 15, 16, 17, 32, 255, 4096, 65_535, 65_536, 1 << 18, 2**31, 2**32 - 16]
    names = addresses + sizes
    chip = Emulator(library)
    for mode in range(5):
        for _ in range(200):
            values = rng.choice(wild, len(names), p=_favour_small(len(wild))).tolist()
            chip.lib.htvm_diana_reset()
            chip.begin()
            chip.start(mode=mode, stride=1, **dict(zip(names, values, strict=True)))
            chip.wait()
    print("faults")


def _favour_small(count):
    weights = 1 / np.arange(1, count + 1)
    return weights / weights.sum()


if __name__ == "__main__":
    Emulator.arena_bytes = Emulator.constants_bytes = 1 << 17
    check_results(sys.argv[1])
    check_faults(sys.argv[1])
