"""A made-up chip whose one accelerator has any contract, and that is only ever dispatched for."""

from math import prod
from typing import ClassVar

from htvm.api import (
    ANY,
    COMPUTED,
    CONSTANT,
    Cost,
    DType,
    Pattern,
    Target,
    Template,
    Tiling,
    contract_constraints,
    hookimpl,
    load_hardware,
    ops,
    requant,
    row_major,
)

CHIP = """
schema = 1
name = "zoo"
description = "made up"
clock_hz = 1_000_000
main_memory = "ram"
stack_bytes = 1024
[memory.ram]
size_bytes = {ram_bytes}
[engine.cpu]
[[engine.unit.contract]]
ops = ["conv2d", "depthwise", "dense", "add"]
{contract}
"""
PRODUCT = Template(ops=(ops.Conv2d, ops.Dense), inputs=(COMPUTED, CONSTANT))
WIDE = Template(ops=(ops.Cast,), inputs=(COMPUTED,))
TIMES = Template(ops=(ops.Elementwise,), inputs=(WIDE, CONSTANT), optional=True)
SUM = Template(ops=(ops.Elementwise,), inputs=(TIMES, TIMES))


def ended(inner):
    return Template(ops=(requant.Requant,), inputs=(inner,))


def chip(contract, *, ram_bytes=1 << 20):
    """The target's class, its accelerator's contract given in TOML."""

    class Zoo(Target):
        extends: ClassVar[tuple[str, ...]] = ()

        @hookimpl
        def htvm_hardware(self):
            return load_hardware(CHIP.format(contract=contract, ram_bytes=ram_bytes))

        @hookimpl
        def htvm_patterns(self, hardware):
            stated = hardware.engines["unit"].contract("conv2d")
            wanted = contract_constraints(stated)
            roots = {"product": ended(PRODUCT), "sum": ended(SUM)}
            if stated.raw:
                roots["raw"] = PRODUCT
            fast = [
                Pattern(name=name, engine="unit", root=root, constraints=wanted)
                for name, root in roots.items()
            ]
            slow = [
                Pattern(
                    name=f"any{n}", engine="cpu", root=Template(ops=(ops.Op,), inputs=(ANY,) * n)
                )
                for n in range(1, 4)
            ]
            return (*fast, *slow)

        @hookimpl
        def htvm_tilings(self, layer, offers, hardware):
            fast = layer.engine == "unit"
            total = layer.macs // 8 if fast else 10 * layer.macs
            floats = any(tensor.dtype is DType.FLOAT32 for tensor in layer.tensors.values())
            total += layer.output.elements * (1 if fast else 20 if floats else 3)
            return (
                Tiling(
                    inputs=tuple(row_major(tensor.shape) for tensor in layer.inputs),
                    output=row_major(layer.output.shape),
                    cost=Cost(total=total, compute=total),
                    constant_bytes=sum(
                        tensor.size_bytes for tensor in layer.tensors.values() if tensor.is_constant
                    ),
                ),
            )

        @hookimpl
        def htvm_convert_cost(self, shape, dtype, source, target, hardware):
            return Cost(total=prod(shape), compute=prod(shape))

    return Zoo
