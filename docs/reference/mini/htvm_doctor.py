import shutil

from htvm.api import Check, Target, hookimpl

COMPILER = "riscv64-unknown-elf-gcc"


class Doctor(Target):
    @hookimpl
    def htvm_doctor(self) -> tuple[Check, ...]:
        found = shutil.which(COMPILER)
        check = Check(
            name="device compiler",
            ok=found is not None,
            detail=found or f"{COMPILER} is not on PATH",
            hint=f"apt install gcc-{COMPILER.removesuffix('-gcc')}",
        )
        return (check,)
