"""Ways to run an int8 TFLite network with one input and one output."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cffi import FFI

from benchmarks.timing import Contender
from htvm.deploying import deploy
from htvm.ir.graph import Graph
from htvm.tvm.network import lower_graph

FLAGS = ("-std=c99", "-O3", "-ffp-contract=off")
"""Compiler flags of every network compiled here."""
_ALIGN_BYTES = 64

Ints = npt.NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A network ready to run.

    Attributes:
        set_input: Gives it an input, of the network's shape.
        invoke: Runs it.
        output: The result of the last run.
    """

    set_input: Callable[[Ints], object]
    invoke: Callable[[], object]
    output: Callable[[], Ints]

    def __call__(self, values: Ints) -> Ints:
        """The flat output for one input."""
        self.set_input(values)
        self.invoke()
        return self.output().ravel().copy()

    def contender(self, values: Ints) -> Contender:
        """For timing on one input; setting it does not count."""
        return Contender(call=self.invoke, prepare=lambda: self.set_input(values))


def htvm_cpu(path: Path, folder: Path) -> Runner:
    """The C htvm generates for the target ``cpu``, built in ``folder``."""
    run = deploy(path, target="cpu", verify=False).run
    if run.project is None or run.memory is None:
        raise RuntimeError("deploy ended before it had made a project")
    project = run.project
    _write(folder, project.files)
    include = [f"-I{name}" for name in (*project.host_folders, ".")]
    library = _compile(folder, [*include, *project.sources])
    return _c_runner(library, f"{project.name}_run", run.graph, run.memory.arena_bytes)


def tvm_default(graph: Graph, folder: Path) -> Runner:
    """TVM's default lowering of an integer graph through htvm's printer, built in ``folder``."""
    code = lower_graph(graph)
    _write(folder, {"network.c": code.source})
    return _c_runner(_compile(folder, ["network.c"]), code.function, graph, code.arena_bytes)


def tflite_micro(path: Path) -> Runner:
    """TFLite's interpreter for microcontrollers, as its wheel was built."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(str(path))
    # The interpreter reuses its input's memory while it runs, so it is set before every run.
    return Runner(
        set_input=lambda values: interpreter.set_input(values, 0),
        invoke=interpreter.invoke,
        output=lambda: interpreter.get_output(0),
    )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _compile(folder: Path, arguments: Sequence[str]) -> Path:
    library = folder / "network.so"
    command = ["cc", *FLAGS, "-shared", "-fPIC", *arguments, "-o", str(library), "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    return library


def _c_runner(library: Path, function: str, graph: Graph, arena_bytes: int) -> Runner:
    """Calls ``function(input, output, arena)`` of a shared library."""
    ffi = FFI()
    ffi.cdef(f"int {function}(const void *, void *, void *);")
    loaded = ffi.dlopen(str(library))
    source, result = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    buffers = [
        _aligned(size) for size in (source.size_bytes, result.size_bytes, max(arena_bytes, 1))
    ]
    pointers: list[Any] = [ffi.from_buffer(buffer) for buffer in buffers]

    def set_input(values: Ints) -> None:
        buffers[0][:] = values.reshape(-1)

    def invoke() -> None:
        # Through the library, which is unloaded when nothing refers to it.
        getattr(loaded, function)(*pointers)

    return Runner(set_input=set_input, invoke=invoke, output=lambda: buffers[1])


def _aligned(size_bytes: int) -> Ints:
    memory = np.zeros(size_bytes + _ALIGN_BYTES, np.int8)
    start = -memory.ctypes.data % _ALIGN_BYTES
    return memory[start : start + size_bytes]
