"""The memory planning stage."""

from __future__ import annotations

from collections.abc import Sequence

from htvm.dispatch.plan import Dispatch
from htvm.errors import DoesNotFitError
from htvm.ir.ops import FloatConv2d, FloatDense
from htvm.memory.allocate import Offsets, allocate, arena_bytes
from htvm.memory.lifetimes import Lifetime, lifetimes, live_bytes
from htvm.memory.plan import Block, Budget, MemoryPlan
from htvm.schedule.kernels import Schedule
from htvm.target.hardware import Hardware

CALL_BYTES = 16
"""Machine code of one call of a layer's function with its arguments, roughly."""


def plan_memory(schedule: Schedule, hardware: Hardware) -> MemoryPlan:
    """Give every buffer of the arena a place, and see that everything fits the main memory.

    Raises:
        DoesNotFitError: E301, with the size of each part and the largest step.
    """
    plan = schedule.dispatch
    memory = hardware.main
    items = lifetimes(plan, memory.align_bytes)
    live = live_bytes(items, len(plan.steps))
    bound = max(live, default=0)
    offsets = allocate(items, bound)
    result = MemoryPlan(
        memory=memory.name,
        align_bytes=memory.align_bytes,
        blocks=_blocks(plan, items, offsets),
        arena_bytes=arena_bytes(items, offsets),
        lower_bound_bytes=bound,
        peak_step=plan.steps[live.index(bound)].name if live else "",
        budget=_budget(schedule, hardware, arena_bytes(items, offsets)),
    )
    if result.budget.total_bytes > memory.size_bytes:
        raise _too_large(result, hardware, _layers_in_float(plan))
    return result


def _blocks(plan: Dispatch, items: Sequence[Lifetime], offsets: Offsets) -> tuple[Block, ...]:
    """A block for each name; those that share memory in place follow one another."""
    first = {plan.values[step.output].buffer: at for at, step in reversed([*enumerate(plan.steps)])}
    blocks = []
    for item, start in zip(items, offsets, strict=True):
        starts = [first.get(name, item.first) for name in item.names]
        for name, begin, after in zip(item.names, starts, [*starts[1:], item.last], strict=True):
            size = plan.storages[name].size_bytes if name in plan.storages else item.size_bytes
            blocks.append(
                Block(name=name, offset_bytes=start, size_bytes=size, first=begin, last=after)
            )
    return tuple(blocks)


def _budget(schedule: Schedule, hardware: Hardware, arena: int) -> Budget:
    storages = schedule.dispatch.storages.values()
    codes = {kernel.code.body: kernel.code.size_bytes for kernel in schedule.kernels}
    return Budget(
        arena_bytes=arena,
        constant_bytes=schedule.constant_bytes,
        io_bytes=sum(item.size_bytes for item in storages if item.place != "arena"),
        code_bytes=sum(codes.values()) + CALL_BYTES * len(schedule.kernels),
        stack_bytes=hardware.stack_bytes,
        capacity_bytes=hardware.main.size_bytes,
    )


def _layers_in_float(plan: Dispatch) -> int:
    """Layers with weights in float32, which take four times the memory of quantised ones."""
    ops = (node.op for step in plan.layers for node in step.layer.nodes)
    return sum(isinstance(op, FloatConv2d | FloatDense) for op in ops)


def _too_large(plan: MemoryPlan, hardware: Hardware, floats: int) -> DoesNotFitError:
    budget = plan.budget
    larger = f"if the chip has more: --set memory.{plan.memory}.size_bytes=..."
    fewer = f"leave fewer than these {floats} layers in float32: a greater --max-drop"
    parts = (
        f"activations {budget.arena_bytes:,} (most at {plan.peak_step})",
        f"weights {budget.constant_bytes:,}",
        f"input and output {budget.io_bytes:,}",
        f"code about {budget.code_bytes:,}",
        f"stack {budget.stack_bytes:,}",
    )
    return DoesNotFitError(
        f"the network does not fit {plan.memory} of {hardware.name}",
        code="E301",
        seen=f"{budget.total_bytes:,} bytes: {', '.join(parts)}",
        accepted=f"{budget.capacity_bytes:,} bytes",
        hint=f"{fewer}; {larger}" if floats else larger,
    )
