"""Every op gives on RV32IMC, soft float included, what it gives on the host."""

import shutil

import pytest

_COMPILER = "riscv64-unknown-elf-gcc"
_EMULATOR = "qemu-system-riscv32"
_MEMORY = {
    "__flash": 0x80000000,
    "__flash_size": 0x400000,
    "__ram": 0x80400000,
    "__ram_size": 0x400000,
    "__stack_size": 0x4000,
}
_FLAGS = (
    "-O2",
    "-march=rv32imc",
    "-mabi=ilp32",
    "-misa-spec=2.2",
    "-mcmodel=medany",
    "--specs=picolibc.specs",
    "--oslib=semihost",
    "--crt0=hosted",
    *(f"-Wl,--defsym={name}={value:#x}" for name, value in _MEMORY.items()),
)
_MACHINE = (
    *("-M", "virt", "-bios", "none", "-display", "none", "-monitor", "none", "-serial", "none"),
    *("-cpu", "rv32,a=false,f=false,d=false", "-chardev", "stdio,id=console"),
    *("-semihosting-config", "enable=on,target=native,chardev=console", "-kernel"),
)


@pytest.mark.skipif(not shutil.which(_COMPILER), reason=f"{_COMPILER} is not installed")
@pytest.mark.skipif(not shutil.which(_EMULATOR), reason=f"{_EMULATOR} is not installed")
def test_equals_the_reference(cases, run_program):
    result = run_program(cases, _COMPILER, *_FLAGS, runner=(_EMULATOR, *_MACHINE))

    assert result.stdout == "done 0\n"
