"""The fixed schedule of functions that no hand-made kernel serves.

Cheap stages disappear into their consumers, and every reduction runs right where its result is
used, so that its accumulator is one variable instead of an array.
"""

from __future__ import annotations

from math import prod
from typing import Any

from htvm.tvm.load import s_tir

_CHEAP = ("view", "padded", "clipped", "converted", "looked_up", "acc", "exps")
_KEPT = "kept_"
_REDUCTION = 2


def schedule(module: Any) -> Any:
    """The module with its one function ``main`` scheduled."""
    plan = s_tir.Schedule(module)
    root = plan.get_sblock("root")
    for block in plan.get_child_blocks(root):
        if _disappears(plan, block):
            plan.compute_inline(block)
    for block in reversed(plan.get_child_blocks(root)):
        if _reductions(plan, block):
            _place(plan, block)
    return plan.mod


def _reductions(plan: Any, block: Any) -> int:
    """How many of the block's loops reduce."""
    return sum(int(axis.iter_type) == _REDUCTION for axis in plan.get(block).iter_vars)


def _disappears(plan: Any, block: Any) -> bool:
    name = plan.get(block).name_hint
    consumers = plan.get_consumers(block)
    if _reductions(plan, block) or not consumers or name.startswith(_KEPT):
        return False
    return name.startswith(_CHEAP) or not any(_reductions(plan, user) for user in consumers)


def _place(plan: Any, block: Any) -> None:
    """Move a reduction into its one consumer unless that would repeat work."""
    depth = _reductions(plan, block)
    consumers = plan.get_consumers(block)
    if len(consumers) == 1 and not _reductions(plan, consumers[0]):
        loops = plan.get_loops(consumers[0])
        if loops and _trips(plan, loops) <= _trips(plan, plan.get_loops(block)[:-depth]):
            plan.compute_at(block, loops[-1])
    plan.decompose_reduction(block, plan.get_loops(block)[-depth])


def _trips(plan: Any, loops: list[Any]) -> int:
    return prod(int(plan.get(loop).extent) for loop in loops)
