"""The C sources a target's emulation includes, and its hardware numbers as C."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files

from htvm.target.hardware import Hardware

CYCLES = "htvm_emulated_cycles"
"""What to name as :attr:`~htvm.target.source.Runtime.cycles`."""
ERROR = "htvm_emulated_error"
"""What to name as :attr:`~htvm.target.source.Runtime.error`."""

_NAMES = ("htvm_emulation.h", "htvm_emulation.c")


def emulation_support(hardware: Hardware) -> Mapping[str, str]:
    """File name -> text of the guarded scratchpad, its DMA, and :func:`hardware_header`.

    Targets merge them into :attr:`~htvm.target.source.Runtime.emulation`; what is there to call is
    written in ``htvm_emulation.h``.
    """
    folder = files(__package__)
    texts = {name: folder.joinpath(name).read_text(encoding="utf-8") for name in _NAMES}
    return {**texts, **hardware_header(hardware)}


def hardware_header(hardware: Hardware) -> Mapping[str, str]:
    """``htvm_hardware.h``: every whole number of the hardware description, settings applied.

    ``memory.l1.size_bytes`` becomes ``HTVM_MEMORY_L1_SIZE_BYTES``, and so on.
    """
    lines = [f"#define {_macro(key)} {value}" for key, value in _numbers(hardware)]
    text = "\n".join(("#ifndef HTVM_HARDWARE_H", "#define HTVM_HARDWARE_H", *lines, "#endif"))
    return {"htvm_hardware.h": f"/* The hardware description in numbers. */\n{text}\n"}


def _numbers(hardware: Hardware) -> Iterator[tuple[str, int]]:
    for name, memory in hardware.memories.items():
        yield f"memory.{name}.size_bytes", memory.size_bytes
        yield f"memory.{name}.align_bytes", memory.align_bytes
    for name, engine in hardware.engines.items():
        for key, value in engine.parameters.items():
            if isinstance(value, int):
                yield f"engine.{name}.{key}", int(value)


def _macro(key: str) -> str:
    return "HTVM_" + re.sub(r"\W", "_", key).upper()
