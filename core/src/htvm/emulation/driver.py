"""A driver of the usual functions under a chip's own prefix: its calls, and its sources.

The functions are ``_begin``, ``_end``, ``_load``, ``_store``, ``_start`` and ``_wait``. On the
user's machine all but ``_start`` are ``HTVM_EMULATED_DRIVER`` of ``htvm_emulation.h``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from htvm.codegen.program import emit_program, struct_call, transfer_call
from htvm.codegen.roll import Call
from htvm.emulation.support import CYCLES, ERROR, emulation_support
from htvm.target.hardware import Hardware
from htvm.target.program import Launch, Program, Step, Wait
from htvm.target.source import LayerCode, Runtime


@dataclass(frozen=True, kw_only=True)
class Driver:
    """A driver whose sources lie in a plug-in's package.

    The folder ``runtime`` holds ``<prefix>.h``, ``<prefix>_emulation.c`` and ``<prefix>_device.c``.
    The header has the struct ``<prefix>_job`` and a constant for each queue: ``ACME_LOAD`` for the
    prefix ``acme`` and a program's queue ``load``.

    Attributes:
        package: Name of the plug-in's package.
        prefix: Prefix of its C names.
    """

    package: str
    prefix: str

    def emit(self, program: Program, comment: str = "") -> LayerCode:
        """The C of a layer: a call for each step, loops where tiles repeat."""
        header = f'"{self.prefix}.h"'
        return emit_program(program, self._call, includes=(header,), comment=comment)

    def runtime(self, hardware: Hardware) -> Runtime:
        """The header, the emulation with what it stands on, and the device side."""
        return Runtime(
            headers=self._file(".h"),
            emulation={**self._file("_emulation.c"), **emulation_support(hardware)},
            device=self._file("_device.c"),
            begin=f"{self.prefix}_begin({{regions}}, {{count}});",
            end=f"{self.prefix}_end();",
            cycles=CYCLES,
            error=ERROR,
        )

    def _file(self, ending: str) -> dict[str, str]:
        name = self.prefix + ending
        return {name: files(self.package).joinpath("runtime", name).read_text(encoding="utf-8")}

    def _call(self, step: Step, program: Program) -> Call:
        queue = f"{self.prefix}_{step.queue}".upper()
        if isinstance(step, Wait):
            return Call(template=f"{self.prefix}_wait({queue});")
        if isinstance(step, Launch):
            record, start = f"{self.prefix}_job", f"{self.prefix}_start"
            return struct_call(start, record, step.job, {"engine": queue})
        load, store = f"{self.prefix}_load", f"{self.prefix}_store"
        return transfer_call(step, program, load=load, store=store)
