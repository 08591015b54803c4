"""The emulated scratchpad, driven from Python: what lands when, how long it takes, what is told."""

import subprocess
from importlib.resources import files

import cffi
import pytest

from htvm.api import Engine, Hardware, Memory, emulation_support, hardware_header

HARDWARE = Hardware(
    name="bench",
    description="",
    clock_hz=1,
    memories={
        "ram": Memory(name="ram", size_bytes=4096, align_bytes=8),
        "spm": Memory(name="spm", size_bytes=256, align_bytes=8),
    },
    engines={"cpu": Engine(name="cpu", parameters={"fpu": True, "core": "generic", "bus": 4})},
    main_memory="ram",
    stack_bytes=0,
)
BENCH = """
#include "htvm_emulation.h"
enum { LOAD, STORE, ENGINE };
HTVM_SCRATCHPAD(spm, HTVM_MEMORY_SPM_SIZE_BYTES, HTVM_MEMORY_SPM_ALIGN_BYTES);
HTVM_EMULATED_DRIVER(bench, spm, 1, LOAD, STORE, 10, HTVM_ENGINE_CPU_BUS);
void bench_copy(uint32_t from, uint32_t to, uint32_t bytes, uint32_t cycles);
int64_t bench_number(uint32_t from, uint32_t bytes);
void bench_spill(void);
void bench_copy(uint32_t from, uint32_t to, uint32_t bytes, uint32_t cycles)
{
    if (htvm_emulated_start(ENGINE)) {
        for (uint32_t i = 0; i < bytes; i++) {
            htvm_put(ENGINE, &spm, to + i, htvm_get(ENGINE, &spm, from + i));
        }
    }
    htvm_emulated_took(ENGINE, cycles);
}
int64_t bench_number(uint32_t from, uint32_t bytes)
{
    return htvm_get_number(ENGINE, &spm, from, bytes);
}
void bench_spill(void) { spm.bytes[spm.size] = 1; }
"""
CDEF = """
typedef struct { const void *data; uint32_t size; uint32_t writable; } htvm_region;
typedef struct {
    uint32_t run, inner_count, inner_stride, outer_count, outer_stride;
} htvm_box;
void bench_begin(const htvm_region *regions, uint32_t count);
void bench_end(void);
void bench_wait(uint32_t queue);
void bench_load(uint32_t address, const void *source, htvm_box box);
void bench_store(void *target, uint32_t address, htvm_box box);
void bench_copy(uint32_t from, uint32_t to, uint32_t bytes, uint32_t cycles);
int64_t bench_number(uint32_t from, uint32_t bytes);
void bench_spill(void);
uint64_t htvm_emulated_cycles(void);
const char *htvm_emulated_error(void);
"""
LOAD, STORE, ENGINE = range(3)


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    header = files("htvm.codegen").joinpath("templates", "htvm.h.j2").read_text("utf-8")
    sources = {**emulation_support(HARDWARE), "htvm.h": header, "bench.c": BENCH}
    for name, text in sources.items():
        (folder / name).write_text(text)
    strict = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fPIC", "-shared")
    command = ["cc", *strict, "htvm_emulation.c", "bench.c", "-o", "bench.so"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "bench.so"


class Bench:
    """A fresh copy of the library with 256 bytes that may be read and 256 that may be written."""

    def __init__(self, library):
        self.ffi = cffi.FFI()
        self.ffi.cdef(CDEF)
        self.c = self.ffi.dlopen(str(library))
        self.memory = self.ffi.new("uint64_t[64]")
        self.bytes = self.ffi.cast("uint8_t *", self.memory)
        for at in range(256):
            self.bytes[at] = at
        regions = self.ffi.new("htvm_region[2]", [(self.bytes, 256, 0), (self.bytes + 256, 256, 1)])
        self.c.bench_begin(regions, 2)

    def load(self, to, at, *box):
        self.c.bench_load(to, self.bytes + at, self._box(box))

    def store(self, to, at, *box):
        self.c.bench_store(self.bytes + 256 + to, at, self._box(box))

    def _box(self, box):
        return self.ffi.new("htvm_box *", (*box, *(1, 0, 1, 0)[len(box) - 1 :]))[0]

    def wait(self, *queues):
        for queue in queues:
            self.c.bench_wait(queue)

    def stored(self, count):
        return list(self.bytes[256 : 256 + count])

    @property
    def error(self):
        text = self.c.htvm_emulated_error()
        return self.ffi.string(text).decode() if text else None

    @property
    def cycles(self):
        return self.c.htvm_emulated_cycles()


@pytest.fixture
def bench(library, tmp_path):
    own = tmp_path / "bench.so"  # a library loaded from another path has state of its own
    own.write_bytes(library.read_bytes())
    return Bench(own)


def test_boxes_are_gathered_computed_on_and_stored(bench):
    bench.load(0, 0, 8, 2, 16, 2, 64)
    bench.wait(LOAD)
    bench.c.bench_copy(0, 64, 32, 5)
    bench.wait(ENGINE)
    bench.store(0, 64, 32)
    bench.wait(STORE)
    bench.c.bench_end()
    wanted = [start + at for start in (0, 16, 64, 80) for at in range(8)]
    assert (bench.stored(32), bench.error) == (wanted, None)


def test_nothing_lands_before_its_wait(bench):
    bench.load(0, 0, 32)
    bench.wait(LOAD)
    bench.store(0, 0, 32)
    assert bench.stored(32) != list(range(32))
    bench.wait(STORE)
    assert bench.stored(32) == list(range(32))


def test_queues_run_side_by_side_and_steps_of_one_after_each_other(bench):
    bench.load(0, 0, 32)  # issued at 1; 10 + 32 / 4 cycles: done at 19
    bench.wait(LOAD)
    assert bench.cycles == 19
    bench.c.bench_copy(0, 64, 8, 100)  # issued at 20: done at 120
    bench.load(32, 0, 16, 2, 16)  # issued at 21; 10 + 2 * 4: done at 39
    bench.load(128, 0, 6 + 2)  # starts when the other ends: 39 + 10 + 2
    bench.wait(LOAD)
    assert bench.cycles == 51
    bench.wait(ENGINE)
    assert bench.cycles == 120
    bench.wait(ENGINE)
    assert bench.cycles == 121


def test_numbers_are_signed_and_little_endian(bench):
    bench.bytes[0], bench.bytes[1] = 0xFE, 0xFF
    bench.load(0, 0, 8)
    bench.wait(LOAD)
    assert bench.c.bench_number(0, 2) == -2
    assert bench.c.bench_number(1, 2) == 0x02FF
    assert bench.c.bench_number(0, 1) == -2


FAULTS = {
    "job before the load's wait": (
        lambda b: (b.load(0, 0, 8), b.c.bench_copy(0, 64, 8, 1)),
        "byte 0 of spm is read by queue 2 before queue 0 is waited for",
    ),
    "store before the job's wait": (
        lambda b: (b.load(0, 0, 8), b.wait(LOAD), b.c.bench_copy(0, 64, 8, 1), b.store(0, 64, 8)),
        "byte 64 of spm is read by queue 1 before queue 2 is waited for",
    ),
    "operand loaded over while a job reads it": (
        lambda b: (b.load(0, 0, 8), b.wait(LOAD), b.c.bench_copy(0, 64, 8, 1), b.load(0, 8, 8)),
        "byte 0 of spm is written by queue 0 while another still reads it",
    ),
    "result written twice at once": (
        lambda b: (b.load(0, 0, 8), b.wait(LOAD), b.c.bench_copy(0, 64, 8, 1), b.load(64, 8, 8)),
        "byte 64 of spm is written by queue 0 and by queue 2 at once",
    ),
    "bytes never written": (
        lambda b: b.c.bench_copy(0, 64, 8, 1),
        "byte 0 of spm is read by queue 2 and was never written",
    ),
    "past the scratchpad": (
        lambda b: b.load(248, 0, 16),
        "byte 256 of spm is written, which has 256",
    ),
    "unaligned": (lambda b: b.load(4, 0, 8), "load is not aligned to 8 bytes"),
    "unaligned stride": (lambda b: b.load(0, 0, 8, 2, 12), "load is not aligned to 8 bytes"),
    "outside every region": (lambda b: b.load(0, -8, 8), "main-memory address no region has"),
    "past a region": (lambda b: b.load(0, 248, 16), "leaves main-memory region 0 of 256 bytes"),
    "store to what is read only": (
        lambda b: (b.load(0, 0, 8), b.wait(LOAD), b.store(-256, 0, 8)),
        "region 0, which may only be read",
    ),
    "source that changes under way": (
        lambda b: (b.load(0, 0, 8), b.bytes.__setitem__(3, 99), b.wait(LOAD)),
        "main memory changed while a load of queue 0 was under way",
    ),
    "target that changes under way": (
        lambda b: (
            *(b.load(0, 0, 8), b.wait(LOAD), b.store(0, 0, 8)),
            *(b.bytes.__setitem__(256, b.bytes[256] ^ 1), b.wait(STORE)),
        ),
        "main memory changed while a store of queue 1 was under way",
    ),
    "nothing to move": (lambda b: b.load(0, 0, 0), "load of no bytes"),
    "queue left running": (lambda b: b.load(0, 0, 8), "queue 0 is not waited for"),
    "queue there is not": (lambda b: b.wait(9), "queue 9, the emulation has 8"),
    "guard": (lambda b: (b.c.bench_spill(), b.c.bench_end()), "past the ends of spm"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_broken_rules_are_told(bench, name):
    act, words = FAULTS[name]
    act(bench)
    assert words in bench.error


def test_the_first_fault_is_kept_and_ends_the_work(bench):
    bench.load(4, 0, 8)
    first = bench.error
    bench.load(0, 0, 16)
    bench.wait(LOAD, STORE)
    bench.c.bench_copy(200, 0, 8, 1)
    assert bench.error == first


def test_numbers_of_the_hardware_become_macros():
    text = hardware_header(HARDWARE)["htvm_hardware.h"]
    assert "#define HTVM_MEMORY_SPM_ALIGN_BYTES 8\n" in text
    assert "#define HTVM_ENGINE_CPU_FPU 1\n" in text
    assert "GENERIC" not in text
