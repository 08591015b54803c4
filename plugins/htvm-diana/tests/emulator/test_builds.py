"""The runtime's C under each compiler that is there, with sanitizers, and for the chip."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from diana_bench import STRICT, build_emulation, write_sources

from htvm_diana import runtime

RV32 = "riscv64-unknown-elf-gcc"


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_emulation_compiles_without_a_warning(tmp_path, compiler, level):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")

    assert build_emulation(tmp_path, compiler=compiler, flags=(level,)).exists()


def test_device_side_compiles_for_rv32(tmp_path):
    if shutil.which(RV32) is None:
        pytest.skip(f"{RV32} is not installed")
    sources = write_sources(tmp_path, runtime.headers(), runtime.device())
    machine = ["-march=rv32imc", "-mabi=ilp32", "-misa-spec=2.2", "-mcmodel=medany"]
    for source in sources:
        command = [RV32, *machine, *STRICT, "-ffreestanding", "-Os", "-c", source]
        subprocess.run([*command, "-o", source + ".o"], check=True)

    linked = str(tmp_path / "device.elf")
    objects = [source + ".o" for source in sources]
    command = [RV32, *machine, "-nostdlib", "-Wl,--entry=htvm_diana_start", *objects, "-lgcc"]
    subprocess.run([*command, "-o", linked], check=True)


def test_header_compiles_next_to_one_that_defines_the_region(tmp_path):
    write_sources(tmp_path, runtime.headers())
    source = tmp_path / "both.c"
    source.write_text(
        "#include <stdint.h>\n"
        "#define HTVM_REGION_DEFINED\n"
        "typedef struct { const void *data; uint32_t size; uint32_t writable; } htvm_region;\n"
        '#include "htvm_diana.h"\n'
    )

    subprocess.run(["cc", *STRICT, "-fsyntax-only", str(source)], check=True)


def sanitizer_library():
    """The sanitizer's runtime that Python has to load first; None if the compiler has none."""
    found = subprocess.run(
        ["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    path = found.stdout.strip()
    return path if Path(path).is_absolute() else None


def test_emulation_is_clean_under_sanitizers(tmp_path):
    """Jobs of each kind and wild ones, on a small chip built with ASan and UBSan."""
    preload = sanitizer_library()
    if preload is None:
        pytest.skip("the C compiler has no address sanitizer")
    flags = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    chip = runtime.EmulatedChip(l1_bytes=32_768, weight_bytes=16_384)
    library = build_emulation(tmp_path, chip=chip, flags=flags)
    driver = Path(__file__).with_name("sanitized_run.py")

    done = subprocess.run(
        [sys.executable, str(driver), str(library)],
        env={"LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=0", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["conv", "depthwise", "dense", "sum", "faults"]
