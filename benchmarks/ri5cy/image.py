"""Runs a generated function on the counted core."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from htvm.api import Array, Constant, DType, Hardware, Layer, LayerCode, Offers, Tiling, ToolError
from htvm_cpu.plugin import Cpu

COMPILER = "riscv64-unknown-elf-gcc"
_CORE = Path(__file__).with_name("core.c")
_COMMON = (
    "--specs=picolibc.specs",
    "-misa-spec=2.2",
    "-mcmodel=medany",
    "-nostartfiles",
    "-std=c99",
    "-O2",
    "-ffp-contract=off",
)
_START = """\
.section .text.start, "ax"
.globl _start
_start:
    la sp, _stack
    call main
    ebreak
"""
_LINK = """\
ENTRY(_start)
SECTIONS {
    . = 0x80000000;
    .text : { KEEP(*(.text.start)) *(.text*) *(.rodata*) *(.srodata*) }
    .data : { *(.data*) *(.sdata*) }
    .bss : { *(.bss*) *(.sbss*) *(COMMON) }
    . = ALIGN(16);
    . += 0x10000;
    _stack = .;
}
"""


@dataclass(frozen=True, kw_only=True)
class Count:
    """What one call of a function took.

    Attributes:
        instructions: Executed.
        cycles: Spent.
        code_bytes: Size of the function on RV32IMFC, without shared blocks of dot products.
    """

    instructions: int
    cycles: int
    code_bytes: int


@dataclass(frozen=True)
class Counter:
    """The counted core, built in a folder."""

    folder: Path

    @classmethod
    def build(cls, folder: Path) -> Counter:
        """Compile the core.

        Raises:
            ToolError: E501, there is no RISC-V compiler.
        """
        if shutil.which(COMPILER) is None:
            raise ToolError(
                f"{COMPILER} is not installed",
                code="E501",
                hint="sudo apt-get install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
            )
        _run(["cc", "-std=c99", "-O2", str(_CORE), "-o", str(folder / "core"), "-lm"])
        (folder / "start.S").write_text(_START)
        (folder / "link.ld").write_text(_LINK)
        return cls(folder)

    def count(self, layer: Layer, tiling: Tiling, name: str, *, fpu: bool = True) -> Count:
        """Run one layer on random inputs, without an FPU through the compiler's own floats."""
        constants = Cpu().htvm_pack(layer, tiling, _ri5cy(fpu)) or ()
        code = emitted(layer, tiling, fpu=fpu)
        source = self.folder / f"{name}.c"
        source.write_text(_program(layer, tiling, constants, code))
        image, binary = self.folder / f"{name}.elf", self.folder / f"{name}.bin"
        link = ["-T", str(self.folder / "link.ld"), str(self.folder / "start.S")]
        _run([COMPILER, *_COMMON, *_machine(fpu), *link, str(source), "-o", str(image), "-lm"])
        _run(["riscv64-unknown-elf-objcopy", "-O", "binary", str(image), str(binary)])
        instructions, cycles = _run([str(self.folder / "core"), str(binary)]).split()
        return Count(
            instructions=int(instructions), cycles=int(cycles), code_bytes=self._size(source, fpu)
        )

    def _size(self, source: Path, fpu: bool) -> int:
        target = source.with_suffix(".o")
        _run([COMPILER, *_COMMON, *_machine(fpu, "c"), "-c", str(source), "-o", str(target)])
        symbols = [
            line.split()
            for line in _run(["riscv64-unknown-elf-nm", "-S", str(target)]).splitlines()
        ]
        functions = [s for s in symbols if len(s) == 4 and s[2] in "tT" and s[3] != "main"]
        return sum(int(s[1], 16) for s in functions if not s[3].startswith("htvm_dot"))


def _machine(fpu: bool, extension: str = "") -> list[str]:
    if fpu:
        return [f"-march=rv32imf{extension}", "-mabi=ilp32f"]
    return [f"-march=rv32im{extension}", "-mabi=ilp32"]


def tilings(layer: Layer, offers: Offers, *, fpu: bool = True) -> tuple[Tiling, ...]:
    """The layer's tilings on an RI5CY core."""
    return Cpu().htvm_tilings(layer, offers, _ri5cy(fpu)) or ()


def emitted(layer: Layer, tiling: Tiling, *, fpu: bool = True) -> LayerCode:
    """The layer's C for an RI5CY core."""
    code = Cpu().htvm_emit(layer, tiling, (), None, _ri5cy(fpu))
    if code is None:
        raise TypeError(f"{layer.name} is not the cpu's")
    return code


def _ri5cy(fpu: bool) -> Hardware:
    hardware = Cpu().htvm_hardware()
    engine = replace(hardware.engines["cpu"], parameters={"core": "ri5cy", "fpu": fpu})
    return replace(hardware, engines={"cpu": engine})


def _program(layer: Layer, tiling: Tiling, constants: tuple[Constant, ...], code: LayerCode) -> str:
    rng = np.random.default_rng(0)
    arrays = [
        (f"in{number}", tensor.dtype, _random(tensor.dtype, layout.size, rng))
        for number, (tensor, layout) in enumerate(zip(layer.inputs, tiling.inputs, strict=True))
    ]
    arrays += [(constant.name, constant.dtype, constant.data) for constant in constants]
    out = layer.output.dtype.c_name
    inputs = [f"const {kind.c_name} *{name}" for name, kind, _ in arrays[: len(layer.inputs)]]
    others = [f"const {kind.c_name} *{name}" for name, kind, _ in arrays[len(layer.inputs) :]]
    head = ", ".join([*inputs, f"{out} *out", "uint8_t *scratch", *others])
    names = [f"data_{name}" for name, _, _ in arrays]
    call = [*names[: len(layer.inputs)], "result", "(uint8_t *)words", *names[len(layer.inputs) :]]
    return "\n".join(
        [
            "#include <stdint.h>",
            *(f"#include <{name}>" for name in code.includes),
            *code.helpers,
            f"__attribute__((noinline)) void layer({head});",
            f"void layer({head})",
            "{",
            "(void)scratch;",
            code.body,
            "}",
            *(
                f"static const {kind.c_name} data_{name}[] = {{{_values(data)}}};"
                for name, kind, data in arrays
            ),
            f"static {out} result[{tiling.output.size}];",
            f"static uint32_t words[{tiling.scratch_bytes // 4 + 1}];",
            "int main(void)",
            "{",
            "    *(volatile uint32_t *)16 = 0;",
            f"    layer({', '.join(call)});",
            "    *(volatile uint32_t *)16 = 0;",
            "    return 0;",
            "}",
            "",
        ]
    )


def _random(dtype: DType, size: int, rng: np.random.Generator) -> Array:
    if dtype is DType.FLOAT32:
        return rng.normal(0, 8, size).astype(np.float32)
    lo, hi = dtype.bounds
    return rng.integers(max(lo, -(2**20)), min(hi, 2**20), size).astype(dtype.numpy)


def _values(data: Array) -> str:
    if data.dtype.kind == "f":
        return ", ".join(f"{float(value).hex()}f" for value in data)
    return ", ".join("INT32_MIN" if value == -(2**31) else str(value) for value in data.tolist())


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{command[0]} failed", code="E502", seen=done.stderr[:500])
    return done.stdout
