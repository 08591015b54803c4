"""The net has no holes: each way to damage a network is noticed, and the layer is named.

The sound network passes. Then one thing in it is wrong: a step of a schedule, a byte of the packed
weights, a token of the C, a place in memory. Damage of a schedule has to be noticed on the emulated
core even though the checker of tile programs, which would have stopped it, is passed by; and what
that checker can know, it has to notice as well.
"""

from __future__ import annotations

import pytest
from byte_mutants import MEMORY, PACKERS, PRINTED
from damage import LAYERS, Mutant, Subject, is_job, running, statically, subject
from schedule_mutants import SCHEDULE

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
