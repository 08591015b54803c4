"""C sources: what a target gives for a layer, and what it brings along once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from htvm.ir.dtype import DType
from htvm.ir.tensor import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Constant:
    """An array the generated C carries.

    Attributes:
        name: Name of the parameter it arrives as in the layer's function.
        dtype: Element type.
        data: The elements in memory order, one axis.
        align_bytes: Alignment of the array.
        engine_reads: Whether an accelerator reads it itself, so that it must lie where the
            accelerator sees it (and is declared to the emulator).
    """

    name: str
    dtype: DType
    data: Array
    align_bytes: int = 4
    engine_reads: bool = False


@dataclass(frozen=True, kw_only=True)
class LayerCode:
    """The C of one layer.

    Core writes the function's head:
    ``static void NAME(const T *in0, .., T *out, uint8_t *scratch, const C *<constant>, ..)``;
    layers whose heads, bodies and helpers agree share one function.

    Attributes:
        body: Statements of the function, without the braces.
        helpers: Complete static functions or macros the body uses; each text appears once.
        includes: Headers the body needs, as they stand between ``<>`` or quotes.
        comment: Lines that say what the function does, for its head.
        size_bytes: Estimated machine code on the chip's host.
    """

    body: str
    helpers: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    comment: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The files an engine's generated code links against.

    The generated code includes ``headers``; two implementations stand behind them, one that
    emulates the engine on the user's machine and one for the device.

    Attributes:
        headers: File name -> text, shipped with the generated code.
        emulation: File name -> text of the C emulation, headers of its own included. Compiled for
            verification, and shipped so that ``make test`` runs on the user's machine.
        device: File name -> text of the implementation for the chip, likewise.
        begin: C statement at the start of every inference. ``{regions}`` and ``{count}`` stand for
            an array of ``htvm_region`` and its length: what accelerators may read and write.
        end: C statement at the end of every inference.
        cycles: Name of a ``uint64_t (void)`` function of the emulation that returns the cycles
            counted so far from the work really executed; empty if there is none.
        error: Name of a ``const char *(void)`` function of the emulation that returns the first
            rule the work broke, or NULL; empty if there is none. Asked after every layer.
        device_flags: Compiler flags of the device build.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    emulation: Mapping[str, str] = field(default_factory=dict)
    device: Mapping[str, str] = field(default_factory=dict)
    begin: str = ""
    end: str = ""
    cycles: str = ""
    error: str = ""
    device_flags: tuple[str, ...] = ()
