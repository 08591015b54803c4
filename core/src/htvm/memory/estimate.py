"""Estimates, before anything is packed or printed, whether a plan fits the main memory."""

from __future__ import annotations

from htvm.dispatch.plan import Dispatch
from htvm.dispatch.search import constant_bytes
from htvm.memory.allocate import allocate, arena_bytes
from htvm.memory.lifetimes import lifetimes, live_bytes
from htvm.target.hardware import Hardware

CODE_BYTES = 320
"""Machine code for each step, on the high side: layers share functions."""


def estimate_bytes(plan: Dispatch, hardware: Hardware) -> int:
    """Bytes of main memory a plan will take, everything included."""
    items = lifetimes(plan, hardware.main.align_bytes)
    bound = max(live_bytes(items, len(plan.steps)), default=0)
    outside = (item.size_bytes for item in plan.storages.values() if item.place != "arena")
    constants = (constant_bytes(step.layer, step.tiling) for step in plan.layers)
    return (
        arena_bytes(items, allocate(items, bound))
        + sum(outside)
        + sum(constants)
        + CODE_BYTES * len(plan.steps)
        + hardware.stack_bytes
    )
