"""The best tile sizes for each loop order and residency, or the rule that forbids all of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from htvm_diana.cycles import Core
from htvm_diana.problem import NoFit, Problem
from htvm_diana.tiling.candidate import Candidate, Policy
from htvm_diana.tiling.search import Bools, Costs, Ints, Sizes, costs, per_channel, sizes
from htvm_diana.tiling.weights import block_outputs, weight_bytes
from htvm_diana.tiling.window import column_widths

_NEVER = np.iinfo(np.int64).max
_POLICIES = tuple(
    policy
    for policy in map(Policy._make, product((False, True), repeat=4))
    if not (policy.channels_outer and policy.output_kept)
)


def candidates(core: Core, problem: Problem) -> Iterator[Candidate]:
    """For each width and policy the best candidate, and the best that costs more."""
    tried = sizes(problem)
    for width in column_widths(problem):
        cost = costs(core, problem, tried, width)
        for policy in _POLICIES:
            yield from _best(core, problem, tried, cost, policy)


def _best(
    core: Core, problem: Problem, tried: Sizes, cost: Costs, policy: Policy
) -> Iterator[Candidate]:
    allowed = _useful(problem, tried, cost, policy)
    if not allowed.any():
        return
    allowed = allowed & _fits(core, cost, policy)
    if not allowed.any():
        return
    total = _total(problem, tried, cost, policy)
    shape = np.broadcast_shapes(total.shape, allowed.shape)
    tiles = np.broadcast_to(tried.count[..., 0] * cost.spatial, shape)
    rank = np.where(allowed, total * (int(tiles.max()) + 1) + tiles, _NEVER)
    best = np.unravel_index(int(rank.argmin()), shape)
    others = np.where(total == np.broadcast_to(total, shape)[best], _NEVER, rank)
    second = np.unravel_index(int(others.argmin()), shape)
    for place in (best, second) if others[second] < _NEVER else (best,):
        yield Candidate(
            channels=int(tried.channels[place[0], 0, 0]),
            rows=int(tried.rows[place[1], 0]),
            columns=cost.width,
            policy=policy,
            cycles=int(np.broadcast_to(total, shape)[place]),
            tiles=int(tiles[place]),
        )


def _useful(problem: Problem, tried: Sizes, cost: Costs, policy: Policy) -> Bools:
    """Where a policy differs from the simpler ones; shape broadcasts to (K, Y)."""
    split, tiled = tried.count[..., 0] > 1, cost.spatial > 1
    useful: Bools = np.ones(1, dtype=bool)
    if policy.channels_outer:
        useful = useful & split & tiled
    if policy.input_whole:
        useful = useful & (tiled | (split & per_channel(problem)))
    if policy.weights_all or policy.output_kept:
        useful = useful & split
    return useful


def _total(problem: Problem, tried: Sizes, cost: Costs, policy: Policy) -> Ints:
    split = tried.count[..., 0] > 1
    reloads_input = policy.channels_outer and not per_channel(problem)
    inputs = cost.input_pass * (tried.count[..., 0] if reloads_input else 1)
    weights = cost.weights_pass * (1 if policy.channels_outer else np.where(split, cost.spatial, 1))
    total = (
        cost.jobs
        + (cost.input_whole if policy.input_whole else inputs)
        + (cost.weights_all if policy.weights_all else weights)
        + (cost.output_kept if policy.output_kept else cost.output_tiles)
    )
    return np.asarray(total)


def _fits(core: Core, cost: Costs, policy: Policy) -> Bools:
    loads, load_whole, stores, store_kept = cost.legal
    used = cost.l1_input[policy.input_whole] + cost.l1_output[policy.output_kept]
    fits: Bools = (used <= core.l1_bytes) & (
        np.asarray(cost.weight_memory[policy.weights_all]) <= core.weight_bytes
    )
    fits = fits & (load_whole if policy.input_whole else loads)
    return fits & (store_kept if policy.output_kept else stores)


def explain_no_fit(core: Core, problem: Problem) -> NoFit:
    """The rule that forbids every tile, with numbers."""
    tried = sizes(problem)
    block = min(block_outputs(problem), problem.k)
    least = weight_bytes(problem, 0, block)
    if least > core.weight_bytes:
        reason = (
            f"{block} output channels need {least} bytes of weight memory, "
            f"it has {core.weight_bytes}"
        )
        return NoFit(
            reason=reason,
            memory="weights",
            needed_bytes=least,
            available_bytes=core.weight_bytes,
        )
    smallest = min(
        (
            found
            for width in column_widths(problem)
            for found in _smallest(core, problem, tried, width)
        ),
        default=None,
    )
    if smallest is None:
        return NoFit(reason="no tile moves in chunks of 32 bytes without writing over a neighbour")
    needed, channels, rows, width = smallest
    reason = (
        f"the smallest legal tile (K={channels}, output rows {rows}, output columns {width}) needs "
        f"{needed} bytes of L1, it has {core.l1_bytes}"
    )
    return NoFit(reason=reason, memory="l1", needed_bytes=needed, available_bytes=core.l1_bytes)


def _smallest(
    core: Core, problem: Problem, tried: Sizes, width: int
) -> Iterator[tuple[int, int, int, int]]:
    """Least L1 of any tile of a width that every other rule allows."""
    cost = costs(core, problem, tried, width)
    for whole, kept in product((0, 1), repeat=2):
        used = np.asarray(cost.l1_input[whole] + cost.l1_output[kept])
        allowed = cost.legal[whole] & cost.legal[2 + kept]
        allowed = allowed & (np.asarray(cost.weight_memory[0]) <= core.weight_bytes)
        shape = np.broadcast_shapes(used.shape, allowed.shape)
        rank = np.where(allowed, used, _NEVER)
        if allowed.any():
            k, y = np.unravel_index(int(rank.argmin()), shape)
            size = int(np.broadcast_to(used, shape)[k, y])
            yield size, int(tried.channels[k, 0, 0]), int(tried.rows[y, 0]), width
