"""Memory planning."""

from dataclasses import replace

import numpy as np
import pytest
from acme import Acme
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Builder
from stages import build

from htvm.errors import DoesNotFitError
from htvm.ir.dtype import DType
from htvm.memory.allocate import allocate, arena_bytes
from htvm.memory.lifetimes import Lifetime, lifetimes, live_bytes
from htvm.memory.stage import plan_memory
from htvm.plugins.session import open_session
from htvm.target.source import Constant


def item(size, first, last, name="x"):
    return Lifetime(names=(name,), size_bytes=size, first=first, last=last)


lives = st.tuples(st.integers(1, 40), st.integers(0, 12), st.integers(0, 6)).map(
    lambda parts: item(parts[0] * 8, parts[1], parts[1] + parts[2])
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(lives, min_size=1, max_size=14))
def test_never_overlaps_and_stays_near_the_bound(items):
    bound = max(live_bytes(items, 20))
    offsets = allocate(items, bound)
    assert offsets == allocate(items, bound)
    for at, one in enumerate(items):
        for other in range(at):
            if one.overlaps(items[other]):
                apart = offsets[at] + one.size_bytes <= offsets[other]
                assert apart or offsets[other] + items[other].size_bytes <= offsets[at]
    assert bound <= arena_bytes(items, offsets) <= 1.5 * bound


def test_local_search_reaches_a_bound_that_first_fit_misses():
    items = [item(4, 0, 2), item(8, 1, 3), item(4, 3, 5), item(12, 4, 5), item(4, 2, 3)]
    bound = max(live_bytes(items, 6))
    assert arena_bytes(items, allocate(items, bound)) == bound


def chain():
    net = Builder()
    x = net.conv(net.input("x", (1, 8, 4, 4)), 8, "a")
    y = net.conv(net.clip(net.clip(x, "b"), "c"), 8, "d")
    return net.graph(y, name="chain")


def test_in_place_layers_share_their_inputs_bytes():
    built = build(chain())
    names = [plan.output for plan in built.plan.layers]
    places = {block.name: block.offset_bytes for block in built.memory.blocks}
    a, b, c = (places[built.plan.values[name].buffer] for name in names[:3])
    assert a == b == c
    shared = next(one for one in lifetimes(built.plan, 8) if len(one.names) > 1)
    assert shared.names == tuple(built.plan.values[name].buffer for name in names[:3])
    assert built.verify().mismatches == 0


def test_no_in_place_while_another_reader_waits():
    net = Builder()
    x = net.conv(net.input("x", (1, 8, 4, 4)), 8, "a")
    left, right = net.clip(x, "left"), net.clip(x, "right", lo=-5, hi=5)
    built = build(net.graph(net.conv(left, 8, "l"), net.conv(right, 8, "r")))
    assert built.verify().mismatches == 0


def test_budget_counts_everything():
    built = build(chain())
    budget = built.memory.budget
    assert budget.io_bytes == 2 * 128
    assert budget.stack_bytes == 512
    assert budget.constant_bytes == 2 * 8 * (8 + 4)
    assert budget.code_bytes > 0
    assert budget.arena_bytes == built.memory.arena_bytes >= built.memory.lower_bound_bytes
    assert built.memory.arena_bytes == built.memory.lower_bound_bytes
    assert all(block.offset_bytes % 8 == 0 for block in built.memory.blocks)


def test_too_large_gives_the_numbers_of_each_part():
    built = build(chain())
    small = open_session(Acme, settings={"memory.ram.size_bytes": "1000"})
    with pytest.raises(DoesNotFitError, match="ram of acme") as caught:
        plan_memory(built.schedule, small.hardware)
    assert caught.value.code == "E301"
    for word in ("activations", "weights 192", "input and output 256", "code", "stack 512"):
        assert word in caught.value.seen
    assert built.memory.peak_step in caught.value.seen
    assert caught.value.accepted.startswith("1,000")


def test_equal_constants_count_once():
    def weights(value: int) -> Constant:
        return Constant(name="w", dtype=DType.INT16, data=np.full(8, value, np.int16))

    given = build(chain()).schedule
    first = given.kernels[0]
    kernels = tuple(replace(first, constants=(weights(value),)) for value in (1, 2, 1))
    assert replace(given, kernels=kernels).constant_bytes == 2 * 16
