"""When each buffer of the arena is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from htvm.dispatch.plan import Dispatch, LayerStep, Step


@dataclass(frozen=True, kw_only=True)
class Lifetime:
    """A piece of memory and the steps during which it is needed.

    Attributes:
        names: The storages that share it, one after the other in place.
        size_bytes: Size, a multiple of the alignment.
        first: Index of the first step that needs it.
        last: Index of the last step that needs it.
    """

    names: tuple[str, ...]
    size_bytes: int
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        """Whether both are needed at one time."""
        return self.first <= other.last and other.first <= self.last


def scratch_name(step: Step) -> str:
    """The name under which a step's scratch appears among the blocks."""
    return f"scratch of {step.name}"


def lifetimes(plan: Dispatch, align_bytes: int) -> tuple[Lifetime, ...]:
    """The arena's buffers and scratches, in order of first use.

    A layer that may work in place takes over the buffer of its input when that input is needed no
    more and is as large. Taking over a larger one as well can keep it alive for too long, so that
    is done only when it lowers the most bytes live at once.
    """
    ways = (_lifetimes(plan, align_bytes, larger=larger) for larger in (False, True))
    return min(ways, key=lambda items: max(live_bytes(items, len(plan.steps)), default=0))


def _lifetimes(plan: Dispatch, align_bytes: int, *, larger: bool) -> tuple[Lifetime, ...]:
    found: dict[str, Lifetime] = {}
    owner: dict[str, str] = {}
    last = _last_uses(plan)
    for index, step in enumerate(plan.steps):
        name = plan.values[step.output].buffer
        if plan.storages[name].place != "arena":
            continue
        size = _aligned(plan.storages[name].size_bytes, align_bytes)
        taken = owner.get(_taken_over(plan, step, index, last) or "")
        room = found[taken].size_bytes if taken is not None else -1
        if taken is not None and (size == room or (larger and size < room)):
            shared = found[taken]
            found[taken] = replace(shared, names=(*shared.names, name), last=last[name])
            owner[name] = taken
        else:
            owner[name] = name
            found[name] = Lifetime(names=(name,), size_bytes=size, first=index, last=last[name])
    return (*found.values(), *_scratches(plan, align_bytes))


def _last_uses(plan: Dispatch) -> dict[str, int]:
    last: dict[str, int] = {}
    for index, step in enumerate(plan.steps):
        for value in (*step.inputs, step.output):
            last[plan.values[value].buffer] = index
    return last


def _taken_over(plan: Dispatch, step: Step, index: int, last: dict[str, int]) -> str | None:
    """The buffer whose place the step's output may take, if there is one."""
    if not isinstance(step, LayerStep) or step.tiling.in_place is None:
        return None
    buffers = [plan.values[value].buffer for value in step.inputs]
    name = buffers[step.tiling.in_place]
    free = last[name] == index and plan.storages[name].place == "arena"
    return name if free and buffers.count(name) == 1 else None


def _scratches(plan: Dispatch, align_bytes: int) -> tuple[Lifetime, ...]:
    return tuple(
        Lifetime(
            names=(scratch_name(step),),
            size_bytes=_aligned(step.tiling.scratch_bytes, align_bytes),
            first=index,
            last=index,
        )
        for index, step in enumerate(plan.steps)
        if isinstance(step, LayerStep) and step.tiling.scratch_bytes
    )


def _aligned(size: int, align_bytes: int) -> int:
    return -(-size // align_bytes) * align_bytes


def live_bytes(items: Sequence[Lifetime], steps: int) -> list[int]:
    """Bytes needed at each step."""
    totals = [0] * steps
    for item in items:
        for index in range(item.first, item.last + 1):
            totals[index] += item.size_bytes
    return totals
