"""Build the emulation with the machine's C compiler and drive it from Python."""

import subprocess

import cffi
import numpy as np
from diana_facts import (
    ceil16,
    conv_weights,
    dense_weights,
    depthwise_weights,
    pad_to,
    planes,
    read_planes,
    reverse_words,
)

from htvm_diana import runtime

CDEF = """
typedef struct { const void *data; uint32_t size; uint32_t writable; } htvm_region;
typedef struct {
  uint32_t mode, input, input2, output, weights, c, k, cx, cx_pitch, cy, channel_size, fx, fy, ox,
      oy, stride, relu, shift, pad_top, pad_bottom, pad_side;
} htvm_diana_job;
typedef struct { uint32_t word[32]; } htvm_diana_record;
typedef struct { const char *name; uint32_t size; uint8_t *bytes, *state; } htvm_diana_memory;
extern htvm_diana_memory htvm_diana_l1, htvm_diana_weight_memory;
void htvm_diana_begin(const htvm_region *regions, uint32_t count);
void htvm_diana_end(void);
void htvm_diana_load(uint32_t, const void *, uint32_t, uint32_t, uint32_t, uint32_t);
void htvm_diana_store(void *, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t);
void htvm_diana_load_weights(uint32_t address, const void *l2, uint32_t bytes);
void htvm_diana_start(const htvm_diana_job *job);
void htvm_diana_wait(void);
const char *htvm_diana_error(void);
const char *htvm_diana_layer_error(void);
uint32_t htvm_diana_faults(void);
uint64_t htvm_diana_cycles(void);
void htvm_diana_reset(void);
uint32_t htvm_diana_launches(const htvm_diana_job *job);
const char *htvm_diana_encode(const htvm_diana_job *, uint32_t, htvm_diana_record *);
void htvm_diana_chip_record(htvm_diana_record *record);
"""

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")


def write_sources(folder, *texts):
    """Write runtime files; returns the C sources among them."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = []
    for name, text in {name: text for group in texts for name, text in group.items()}.items():
        (folder / name).write_text(text)
        sources += [str(folder / name)] if name.endswith(".c") else []
    return sources


def build_emulation(folder, *, chip=None, compiler="cc", flags=("-O2",)):
    sources = write_sources(folder, runtime.headers(), runtime.emulation(chip))
    library = folder / "emulation.so"
    command = [compiler, *STRICT, *flags, "-shared", "-fPIC", *sources, "-o", str(library)]
    subprocess.run(command, check=True)
    return library


class Emulator:
    """The emulation and a main memory: an arena it may write and constants it may only read."""

    arena_bytes = 1 << 20
    constants_bytes = 1 << 18

    def __init__(self, library):
        self.ffi = cffi.FFI()
        self.ffi.cdef(CDEF)
        self.lib = self.ffi.dlopen(str(library))
        self.lib.htvm_diana_reset()
        self.arena = np.full(self.arena_bytes, 0x55, np.uint8)
        self.constants = np.full(self.constants_bytes, 0x66, np.uint8)

    def address(self, array, offset=0):
        return self.ffi.cast("uint8_t *", array.ctypes.data + offset)

    def begin(self):
        regions = self.ffi.new(
            "htvm_region[]",
            [
                (self.address(self.arena), self.arena.size, 1),
                (self.address(self.constants), self.constants.size, 0),
            ],
        )
        self.lib.htvm_diana_begin(regions, 2)

    def end(self):
        self.lib.htvm_diana_end()
        assert self.error is None

    @property
    def error(self):
        text = self.lib.htvm_diana_error()
        return None if text == self.ffi.NULL else self.ffi.string(text).decode()

    @property
    def cycles(self):
        return self.lib.htvm_diana_cycles()

    def wait(self):
        self.lib.htvm_diana_wait()

    def load(self, l1, size, *, main=0, count=1, near=0, far=0):
        self.lib.htvm_diana_load(l1, self.address(self.arena, main), size, count, near, far)

    def store(self, l1, size, *, main=0, count=1, near=0, far=0):
        self.lib.htvm_diana_store(self.address(self.arena, main), l1, size, count, near, far)

    def load_weights(self, size, *, address=0, main=0):
        self.lib.htvm_diana_load_weights(address, self.address(self.constants, main), size)

    def job(self, **fields):
        return self.ffi.new("htvm_diana_job *", fields)

    def start(self, **fields):
        self.lib.htvm_diana_start(self.job(**fields))

    def send(self, l1, data):
        """Bring bytes into L1 by way of the arena."""
        data = pad_to(data, 32)
        self.arena[: data.size] = data
        self.load(l1, data.size)
        self.wait()
        return data.size

    def send_weights(self, data):
        data = pad_to(data, 16)
        self.constants[: data.size] = data
        self.load_weights(data.size)
        self.wait()

    def fetch(self, l1, size):
        """Bytes of L1, by way of the arena."""
        self.store(l1, -(-size // 32) * 32)
        self.wait()
        assert self.error is None
        return self.arena[:size].copy()

    def run(self, **fields):
        self.start(**fields)
        self.wait()
        assert self.error is None

    def _plane_job(self, x, kernel, stride, top, bottom, side):
        (c, cy, cx), (fy, fx) = x.shape, kernel
        return {
            "c": c, "cx": cx, "cx_pitch": ceil16(cx), "cy": cy, "channel_size": ceil16(cx) * cy,
            "fx": fx, "fy": fy, "stride": stride,
            "pad_top": top, "pad_bottom": bottom, "pad_side": side,
            "ox": (cx + 2 * side - fx) // stride + 1,
            "oy": (cy + top + bottom - fy) // stride + 1,
        }  # fmt: skip

    def conv(self, x, w, bias, *, stride=1, top=0, bottom=0, side=0, shift=0, relu=0):
        output = self.send(0, planes(x))
        self.send_weights(conv_weights(w, bias))
        job = self._plane_job(x, w.shape[2:], stride, top, bottom, side)
        job.update(mode=1, k=len(w), output=output, shift=shift, relu=relu)
        self.run(**job)
        size = len(w) * job["oy"] * ceil16(job["ox"])
        return read_planes(self.fetch(output, size), len(w), job["oy"], job["ox"])

    def depthwise(self, x, w, bias, *, stride=1, top=0, bottom=0, side=0, shift=0, relu=0):
        output = self.send(0, planes(x))
        self.send_weights(depthwise_weights(w, bias))
        job = self._plane_job(x, w.shape[1:], stride, top, bottom, side)
        job.update(mode=2, k=len(w), output=output, shift=shift, relu=relu)
        self.run(**job)
        size = len(w) * job["oy"] * ceil16(job["ox"])
        return read_planes(self.fetch(output, size), len(w), job["oy"], job["ox"])

    def dense(self, x, w, bias, *, shift=0, relu=0):
        data = np.zeros(ceil16(x.size), np.int8)
        data[: x.size] = x
        output = self.send(0, reverse_words(data))
        self.send_weights(dense_weights(w, bias))
        self.run(mode=0, output=output, c=x.size, k=len(w), shift=shift, relu=relu)
        return reverse_words(self.fetch(output, ceil16(len(w)))).view(np.int8)[: len(w)]

    def add(self, a, b, *, shift=0):
        size = self.send(0, reverse_words(a))
        self.send(size, reverse_words(b))
        self.run(mode=3, input2=size, output=2 * size, c=a.size, shift=shift)
        return reverse_words(self.fetch(2 * size, a.size)).view(np.int8)
