"""The hooks a target implements.

Every hook does one job. Where the specification says first result, plug-ins answer in the order
user overrides, target, what the target extends, core, and ``None`` passes the question on.
"""

from __future__ import annotations

from collections.abc import Mapping

import pluggy

from htvm.ir.dtype import DType
from htvm.ir.layout import Layout
from htvm.target.check import Check
from htvm.target.hardware import Hardware
from htvm.target.layer import Cost, Layer, Offers, Tiling
from htvm.target.pattern import Pattern
from htvm.target.program import Program
from htvm.target.runner import Runner
from htvm.target.source import Constant, LayerCode, Runtime

PROJECT = "htvm"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(firstresult=True)
def htvm_hardware() -> Hardware | None:
    """Describe the chip. First result."""


@hookspec
def htvm_patterns(hardware: Hardware) -> tuple[Pattern, ...]:
    """Register the patterns of the target's engines. All results count, in no order."""
    raise NotImplementedError


@hookspec(firstresult=True)
def htvm_tilings(layer: Layer, offers: Offers, hardware: Hardware) -> tuple[Tiling, ...] | None:
    """All ways worth considering to run a layer: the best tiling for each choice of layouts.

    Where fewer bytes of constants can be had for more cycles, those tilings are worth considering
    too; each states its ``constant_bytes``.

    Empty when none fits; None when the layer's engine is not this plug-in's. First result.
    """


@hookspec(firstresult=True)
def htvm_cost(layer: Layer, tiling: Tiling, hardware: Hardware) -> Cost | None:
    """Cycles of a layer run by a tiling. First result, so an override can replace a cost model."""


@hookspec(firstresult=True)
def htvm_convert_cost(
    shape: tuple[int, ...], dtype: DType, source: Layout, target: Layout, hardware: Hardware
) -> Cost | None:
    """Cycles the host needs to copy a tensor from one layout to another. First result."""


@hookspec(firstresult=True)
def htvm_convert(
    shape: tuple[int, ...], dtype: DType, source: Layout, target: Layout, hardware: Hardware
) -> LayerCode | None:
    """C that copies ``in0`` in one layout to ``out`` in another, filling. First result."""


@hookspec(firstresult=True)
def htvm_pack(layer: Layer, tiling: Tiling, hardware: Hardware) -> tuple[Constant, ...] | None:
    """Weights, biases and tables in the form the engine reads. First result."""


@hookspec(firstresult=True)
def htvm_schedule(
    layer: Layer, tiling: Tiling, constants: tuple[Constant, ...], hardware: Hardware
) -> Program | None:
    """The tile program of a layer; None for host code, which has no schedule. First result."""


@hookspec(firstresult=True)
def htvm_emit(
    layer: Layer,
    tiling: Tiling,
    constants: tuple[Constant, ...],
    program: Program | None,
    hardware: Hardware,
) -> LayerCode | None:
    """The C of a layer. First result."""


@hookspec
def htvm_runtime(hardware: Hardware) -> Runtime | None:
    """Headers, emulation and device sources the generated code needs. All results count."""


@hookspec(firstresult=True)
def htvm_runner(hardware: Hardware) -> Runner | None:
    """The simulator or board that ``htvm target test`` runs golden tests on. First result."""


@hookspec
def htvm_doctor() -> tuple[Check, ...]:
    """What ``htvm doctor`` should look at. All results count."""
    raise NotImplementedError


@hookspec
def htvm_options() -> Mapping[str, str]:
    """Keys ``--set`` accepts besides the hardware's, with one line each. All results count."""
    raise NotImplementedError
