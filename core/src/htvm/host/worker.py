"""The process that loads and runs a generated network, so that a crash stays in it.

Started as ``python -m htvm.host.worker LIBRARY PROGRESS``. Standard input carries one line of JSON
with the sizes, then for each batch its number of samples and the samples' bytes; standard output
answers each batch with one line of JSON and the bytes of every layer's output.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import cffi

DECLARATIONS = """
void shim_open(int32_t *progress);
uint8_t *shim_buffer(uint32_t index);
const uint64_t *shim_cycles(void);
const char *shim_run(uint8_t *dumps, uint32_t soil);
"""
SOIL = 0xB3
PROGRESS_BYTES = 8
"""Of the file that tells how far the worker is: the layer, then the number of the inference."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Bytes of what goes in and out of the library.

    Attributes:
        inputs: Of each input, in order.
        outputs: Of each output, in order.
        dump: Of all layers' outputs together.
        layers: Number of layers.
    """

    inputs: Sequence[int]
    outputs: Sequence[int]
    dump: int
    layers: int

    @property
    def sample(self) -> int:
        """Bytes of one sample's inputs."""
        return sum(self.inputs)

    @property
    def result(self) -> int:
        """Bytes of what one inference gives back."""
        return self.dump + sum(self.outputs)


class Network:
    """A loaded network."""

    def __init__(self, library: str, progress: mmap.mmap, sizes: Sizes) -> None:
        self._ffi = cffi.FFI()
        self._ffi.cdef(DECLARATIONS)
        self._lib: Any = self._ffi.dlopen(library)
        self._sizes = sizes
        self._progress = self._ffi.from_buffer("int32_t[]", progress, require_writable=True)
        self._lib.shim_open(self._progress)

    def run(self, sample: memoryview, soil: int) -> tuple[bytes, str]:
        """One inference: dumps and outputs, and what the shim found wrong."""
        ffi, lib, sizes = self._ffi, self._lib, self._sizes
        self._progress[1] = (self._progress[1] + 1) & 0x7FFFFFFF
        at = 0
        for index, size in enumerate(sizes.inputs):
            ffi.memmove(lib.shim_buffer(1 + index), sample[at : at + size], size)
            at += size
        dumps = bytearray(max(1, sizes.dump))
        fault = lib.shim_run(ffi.from_buffer("uint8_t[]", dumps, require_writable=True), soil)
        first = 1 + len(sizes.inputs)
        outputs = [
            bytes(ffi.buffer(lib.shim_buffer(first + index), size))
            for index, size in enumerate(sizes.outputs)
        ]
        text = "" if fault == ffi.NULL else ffi.string(fault).decode("ascii", "replace")
        return bytes(dumps[: sizes.dump]) + b"".join(outputs), text

    def cycles(self) -> list[int]:
        """Cycles of each layer in the last inference."""
        return [int(count) for count in self._lib.shim_cycles()[0 : self._sizes.layers]]


def serve(network: Network, sizes: Sizes, source: BinaryIO, answer: BinaryIO) -> None:
    """Answer batches until the input ends. Each sample runs twice, first on a soiled arena."""
    while line := source.readline():
        count = int(line)
        samples = memoryview(source.read(count * sizes.sample))
        results: list[bytes] = []
        fault, cycles = "", [0] * sizes.layers
        for index in range(count):
            sample = samples[index * sizes.sample : (index + 1) * sizes.sample]
            for soil in (SOIL, 0):
                result, fault = network.run(sample, soil)
                cycles = network.cycles() if soil else cycles
                results.append(result)
                if fault:
                    break
            if fault:
                break
        head = {"runs": len(results), "fault": fault, "cycles": cycles}
        answer.write(json.dumps(head).encode() + b"\n" + b"".join(results))
        answer.flush()


def main(arguments: list[str]) -> None:
    """Serve one library on the standard streams."""
    library, progress_file = arguments
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the network prints must not mix with the answers
    source = sys.stdin.buffer
    sizes = Sizes(**json.loads(source.readline()))
    with (
        Path(progress_file).open("r+b") as file,
        mmap.mmap(file.fileno(), PROGRESS_BYTES) as progress,
    ):
        network = Network(library, progress, sizes)
        serve(network, sizes, source, answer)
        os._exit(0)  # the map cannot close while the library points into it


if __name__ == "__main__":
    main(sys.argv[1:])
