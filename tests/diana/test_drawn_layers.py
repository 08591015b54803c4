"""Drawn layers, from the integer graph through the emitted C to the emulated core, to the bit.

Every network goes the whole way a user's goes: match, dispatch, schedule and its static check,
emit, compile with AddressSanitizer and UndefinedBehaviorSanitizer, emulate, compare. Layers are
pinned to the digital core, so that none escapes to the host because it is small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from built import Network, assert_exact, bias_for, deploy, prove, shift_by, step_of, weights_for
from drawn import KERNELS, PADDINGS, networks, specs

from htvm.deployment import Deployment
from htvm.dispatch.candidates import candidates
from htvm.plugins.session import open_session
from htvm.target.program import Launch

DRAWN = specs(3)
NETWORK_LAYERS = 20
ODIMO = {
    "engine.digital.cycle_model": "odimo",
    "engine.digital.dma_bytes_per_cycle": "8",
    "engine.digital.dma_chunk_cycles": "0",
}
ROOM = {"memory.l2.size_bytes": "4_000_000"}
"""Main memory for many layers side by side, and for maps larger than L1."""
SMALL_L1 = {"memory.l1.size_bytes": "16384"}
SMALL_WEIGHTS = {
    "memory.weights.size_bytes": "8192",
    "engine.digital.depthwise_channels_per_launch": "4",
}
CHIPS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("as shipped", {}),
    ("ODiMO's cycles", ODIMO),
    ("small L1", SMALL_L1),
    ("small weight memory", SMALL_WEIGHTS),
    ("both small, ODiMO's cycles", {**ODIMO, **SMALL_L1, **SMALL_WEIGHTS}),
)
LEAST_ON_DIGITAL = 60
"""Layers that must have run on the digital core of each of these chips."""


def able(network: Network, settings: Mapping[str, str]) -> dict[str, str]:
    """Pins to the digital core for every layer it can take."""
    matches = deploy(network, settings=settings, upto="match").matches
    assert matches is not None
    found = candidates(matches, open_session("diana", settings=settings))
    return {
        item.layer.name: "digital"
        for item in found
        if item.layer.engine == "digital" and item.tilings
    }


def kinds(done: Deployment) -> Counter[str]:
    """How many jobs of each kind the network runs."""
    assert done.schedule is not None
    steps = [
        step for kernel in done.schedule.kernels if kernel.program for step in kernel.program.steps
    ]
    return Counter(step.kind for step in steps if isinstance(step, Launch))


@pytest.mark.parametrize("chip", range(len(CHIPS)), ids=[name for name, _ in CHIPS])
def test_drawn_layers_are_bit_exact_on_the_digital_core(chip: int) -> None:
    settings = {**ROOM, **CHIPS[chip][1]}
    wanted = DRAWN[chip :: len(CHIPS)]
    ran, tiled, jobs = 0, 0, Counter[str]()
    for network in networks(wanted, seed=chip, size=NETWORK_LAYERS):
        pins = able(network, settings)
        done = deploy(network, settings=settings, pins=pins, random=1, extreme=False, sanitize=True)
        assert_exact(done)
        assert done.dispatch is not None
        for name in pins:
            assert step_of(done, name).engine == "digital"
        for step in done.dispatch.layers:
            ran += step.engine == "digital"
            tiled += step.engine == "digital" and step.tiling.tiles > 1
            refusals = [other.reason for other in step.alternatives if other.engine == "digital"]
            assert step.engine == "digital" or all(refusals)
        jobs += kinds(done)
    assert ran >= LEAST_ON_DIGITAL
    assert {"conv2d", "dense", "sum"} <= set(jobs)
    assert tiled >= 10 or "memory.l1.size_bytes" not in settings
    assert jobs["depthwise"] or "engine.digital.depthwise_channels_per_launch" not in settings


def test_what_is_drawn_is_what_the_core_can_be_asked_for() -> None:
    assert LEAST_ON_DIGITAL * len(CHIPS) >= 300
    windows = [spec for spec in DRAWN if spec.kind == "conv"]
    assert {spec.kernel for spec in windows} == set(KERNELS)
    assert {(spec.stride, spec.padding) for spec in windows} == {
        (stride, padding) for stride in (1, 2) for padding in PADDINGS
    }
    assert {spec.shift for spec in DRAWN} == set(range(32))
    assert {spec.kind for spec in DRAWN} == {"conv", "depthwise", "dense", "add"}
    for kind in ("conv", "depthwise", "dense", "add"):
        assert {spec.relu for spec in DRAWN if spec.kind == kind} == {False, True}


def test_weights_beyond_the_weight_memory() -> None:
    rng = np.random.default_rng(1)
    net = Network()
    conv = weights_for(rng, (157, 61, 3, 3), 9)
    dense = weights_for(rng, (123, 700), 9)
    net.conv(
        "wide", net.input(61, 5, 9), conv, shift_by(9), bias=bias_for(rng, 157, 9), pad=(1, 1, 1, 1)
    )
    net.dense("long", net.input(700), dense, shift_by(9), bias=bias_for(rng, 123, 9))
    done = prove(net, "wide", "long")
    for name in ("wide", "long"):
        step = step_of(done, name)
        assert step.tiling.constant_bytes > done.hardware.memories["weights"].size_bytes
        assert step.tiling.tiles > 1


def test_maps_beyond_l1() -> None:
    rng = np.random.default_rng(2)
    net = Network()
    x = net.input(44, 80, 79)
    net.conv(
        "strided", x, weights_for(rng, (5, 44, 3, 3), 9), shift_by(9), stride=2, pad=(0, 0, 1, 1)
    )
    net.conv(
        "single", x, weights_for(rng, (44, 1, 3, 3), 5), shift_by(5), pad=(1, 1, 1, 1), groups=44
    )
    net.add("sum", x, net.input(44, 80, 79), shift_by(1))
    done = prove(
        net, "strided", "single", "sum",
        settings=ROOM, random=1, extreme=False,
    )  # fmt: skip
    assert all(step_of(done, name).tiling.tiles > 1 for name in ("strided", "single", "sum"))


def test_extreme_weights_and_inputs_fill_the_accumulator() -> None:
    net = Network()
    x = net.input(77, 7, 7)
    for sign, weight in (("negative", -128), ("positive", 127)):
        weights = np.full((17, 77, 7, 7), weight)
        net.conv(sign, x, weights, shift_by(19), pad=(3, 3, 3, 3))
    prove(net, "negative", "positive", random=1)
