"""The target: hooks that delegate."""

from __future__ import annotations

from importlib.resources import files
from typing import ClassVar

from htvm.api import (
    Constant,
    Cost,
    Hardware,
    Layer,
    LayerCode,
    Offers,
    Pattern,
    Program,
    Runtime,
    Target,
    Tiling,
    hookimpl,
    load_hardware,
)
from htvm_diana import packing, runtime, tilings
from htvm_diana.cycles import core_of
from htvm_diana.emit import emit
from htvm_diana.forms import ENGINE
from htvm_diana.layouts import ceil32
from htvm_diana.patterns import patterns
from htvm_diana.schedule import program


class Diana(Target):
    """KU Leuven's DIANA: a RISC-V host and the digital core."""

    extends: ClassVar[tuple[str, ...]] = ("cpu",)

    @hookimpl
    def htvm_hardware(self) -> Hardware:
        """The chip, from ``hardware.toml``."""
        return load_hardware(files("htvm_diana").joinpath("hardware.toml").read_text("utf-8"))

    @hookimpl
    def htvm_patterns(self, hardware: Hardware) -> tuple[Pattern, ...]:
        """Convolution, dense and add."""
        return patterns(hardware)

    @hookimpl
    def htvm_tilings(
        self, layer: Layer, offers: Offers, hardware: Hardware
    ) -> tuple[Tiling, ...] | None:
        """Every rewrite of the layer with its cheapest schedule."""
        return tilings.tilings(layer, offers, hardware) if layer.engine == ENGINE else None

    @hookimpl
    def htvm_cost(self, layer: Layer, tiling: Tiling, hardware: Hardware) -> Cost | None:
        """The cycles of the schedule, step by step."""
        del hardware
        return tilings.own(tiling).choice.cost if layer.engine == ENGINE else None

    @hookimpl
    def htvm_pack(
        self, layer: Layer, tiling: Tiling, hardware: Hardware
    ) -> tuple[Constant, ...] | None:
        """Weights and biases in blocks of 16 output channels."""
        del hardware
        if layer.engine != ENGINE:
            return None
        return packing.constants(tilings.own(tiling).realisation)

    @hookimpl
    def htvm_schedule(
        self, layer: Layer, tiling: Tiling, constants: tuple[Constant, ...], hardware: Hardware
    ) -> Program | None:
        """Transfers and jobs, each waited for."""
        if layer.engine != ENGINE:
            return None
        mine = tilings.own(tiling)
        step_cycles = core_of(hardware).step_cycles
        return program(mine.realisation, mine.choice, constants, step_cycles)

    @hookimpl
    def htvm_emit(
        self,
        layer: Layer,
        tiling: Tiling,
        constants: tuple[Constant, ...],
        program: Program | None,
        hardware: Hardware,
    ) -> LayerCode | None:
        """A call for each step, rolled into loops."""
        del constants, hardware
        if layer.engine != ENGINE or program is None:
            return None
        return emit(program, tilings.describe(layer, tilings.own(tiling)))

    @hookimpl
    def htvm_runtime(self, hardware: Hardware) -> Runtime:
        """The driver header, its emulation and its device side."""
        core = core_of(hardware)
        chip = runtime.EmulatedChip(
            l1_bytes=ceil32(core.l1_bytes),
            weight_bytes=ceil32(core.weight_bytes),
            dma_bytes_per_cycle=int(core.dma_bytes_per_cycle),
            dma_chunk_cycles=core.dma_chunk_cycles,
        )
        return Runtime(
            headers=runtime.headers(),
            emulation=runtime.emulation(chip),
            device=runtime.device(),
            begin=runtime.BEGIN,
            end=runtime.END,
            cycles=runtime.CYCLES,
            error=runtime.ERROR,
        )
