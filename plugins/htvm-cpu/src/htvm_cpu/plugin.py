"""The target ``cpu``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files

from htvm.api import (
    Check,
    Constant,
    Cost,
    DType,
    Hardware,
    Layer,
    LayerCode,
    Layout,
    Offers,
    Pattern,
    Program,
    Runtime,
    Target,
    Tiling,
    hookimpl,
    load_hardware,
)
from htvm_cpu.conversion import convert, convert_cost
from htvm_cpu.host import host_of
from htvm_cpu.patterns import ENGINE, PATTERNS
from htvm_cpu.registry import kernel_of


class Cpu(Target):
    """Portable C for the processor: by itself, and as the host of every other target."""

    @hookimpl
    def htvm_hardware(self) -> Hardware:
        """A 32-bit processor with plenty of memory."""
        return load_hardware(files("htvm_cpu").joinpath("hardware.toml").read_text("utf-8"))

    @hookimpl
    def htvm_patterns(self, hardware: Hardware) -> tuple[Pattern, ...]:
        """Every op, alone or with what follows it."""
        host_of(hardware)
        return PATTERNS

    @hookimpl
    def htvm_tilings(
        self, layer: Layer, offers: Offers, hardware: Hardware
    ) -> tuple[Tiling, ...] | None:
        """Every choice of layouts, priced."""
        if layer.engine != ENGINE:
            return None
        host = host_of(hardware)
        kernel = kernel_of(layer)
        return tuple(
            replace(tiling, cost=kernel.cost(layer, tiling, host))
            for tiling in kernel.tilings(layer, offers, host)
        )

    @hookimpl
    def htvm_cost(self, layer: Layer, tiling: Tiling, hardware: Hardware) -> Cost | None:
        """The cycle model's answer."""
        if layer.engine != ENGINE:
            return None
        return kernel_of(layer).cost(layer, tiling, host_of(hardware))

    @hookimpl
    def htvm_convert_cost(
        self,
        shape: tuple[int, ...],
        dtype: DType,
        source: Layout,
        target: Layout,
        hardware: Hardware,
    ) -> Cost:
        """Cycles of a copy from one layout to another."""
        return convert_cost(shape, dtype, source, target, host_of(hardware))

    @hookimpl
    def htvm_convert(
        self,
        shape: tuple[int, ...],
        dtype: DType,
        source: Layout,
        target: Layout,
        hardware: Hardware,
    ) -> LayerCode:
        """C of a copy from one layout to another."""
        return convert(shape, dtype, source, target, host_of(hardware))

    @hookimpl
    def htvm_pack(
        self, layer: Layer, tiling: Tiling, hardware: Hardware
    ) -> tuple[Constant, ...] | None:
        """Weights, biases and tables in the kernel's order."""
        if layer.engine != ENGINE:
            return None
        return kernel_of(layer).generate(layer, tiling, host_of(hardware)).constants

    @hookimpl
    def htvm_emit(
        self,
        layer: Layer,
        tiling: Tiling,
        constants: tuple[Constant, ...],
        program: Program | None,
        hardware: Hardware,
    ) -> LayerCode | None:
        """The kernel's C."""
        del constants, program
        if layer.engine != ENGINE:
            return None
        return kernel_of(layer).generate(layer, tiling, host_of(hardware)).code

    @hookimpl
    def htvm_runtime(self, hardware: Hardware) -> Runtime | None:
        """Nothing: the generated C stands by itself."""
        del hardware
        return None

    @hookimpl
    def htvm_doctor(self) -> tuple[Check, ...]:
        """Nothing to look at: the target needs no tools of its own."""
        return ()

    @hookimpl
    def htvm_options(self) -> Mapping[str, str]:
        """No keys besides the hardware's."""
        return {}
