"""Builds layers by hand, runs their C in a process of its own, compares with the reference."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import indent

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from htvm.api import (
    Constant,
    DType,
    Engine,
    Graph,
    Layer,
    LayerCode,
    Layout,
    Node,
    Offers,
    Origin,
    Tensor,
    constant,
)
from htvm.numerics.execute import execute
from htvm_cpu.plugin import Cpu

settings.register_profile(
    "htvm",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("htvm")

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off")


def hardware(core="generic", fpu=True):
    """The cpu target with another core."""
    described = Cpu().htvm_hardware()
    engine = Engine(name="cpu", parameters={"core": core, "fpu": fpu})
    return described.__class__(**{**vars(described), "engines": {"cpu": engine}})


@dataclass
class LayerBuilder:
    """Collects nodes and tensors of one layer."""

    tensors: dict = field(default_factory=dict)
    nodes: list = field(default_factory=list)
    inputs: list = field(default_factory=list)

    def input(self, shape, dtype=DType.INT8):
        name = f"input{len(self.inputs)}"
        self.tensors[name] = Tensor(name=name, shape=tuple(shape), dtype=dtype)
        self.inputs.append(name)
        return name

    def constant(self, value, dtype):
        name = f"constant{len(self.tensors)}"
        self.tensors[name] = constant(name, value, dtype)
        return name

    def add(self, op, inputs, shape, dtype):
        name = f"value{len(self.nodes)}"
        self.tensors[name] = Tensor(name=name, shape=tuple(shape), dtype=dtype)
        node = Node(name=f"node{len(self.nodes)}", op=op, inputs=tuple(inputs), output=name)
        self.nodes.append(node)
        return name

    def layer(self, pattern="any"):
        used = dict.fromkeys(name for node in self.nodes for name in node.inputs)
        return Layer(
            name="layer",
            engine="cpu",
            pattern=pattern,
            nodes=tuple(self.nodes),
            captures={},
            inputs=tuple(self.tensors[name] for name in used if name in self.inputs),
            output=self.tensors[self.nodes[-1].output],
            tensors=dict(self.tensors),
        )


def expected(layer, arrays):
    """The reference's output of a layer."""
    graph = Graph(
        name="layer",
        inputs=tuple(tensor.name for tensor in layer.inputs),
        outputs=(layer.output.name,),
        nodes=layer.nodes,
        tensors=layer.tensors,
        origin=Origin(path="", format="built"),
    )
    return execute(graph, arrays)[layer.output.name]


def random_array(tensor, rng):
    """Elements over the whole range of the type, extremes included."""
    if tensor.dtype is DType.FLOAT32:
        return rng.normal(0, 20, tensor.shape).astype(np.float32)
    lo, hi = tensor.dtype.bounds
    lo, hi = max(lo, -(2**24)), min(hi, 2**24)
    array = rng.integers(lo, hi, tensor.shape, endpoint=True)
    extreme = rng.random(tensor.shape)
    array[extreme < 0.1] = lo
    array[extreme > 0.9] = hi
    return array.astype(tensor.dtype.numpy)


@dataclass
class Part:
    """One function under test with its data."""

    code: LayerCode
    constants: tuple[Constant, ...]
    scratch_bytes: int
    inputs: list[tuple[DType, np.ndarray]]
    dtype: DType
    layout: Layout
    result: np.ndarray
    about: str
    in_place: int | None = None


@dataclass
class Batch:
    """Functions compiled and run together."""

    folder: Path
    parts: list[Part] = field(default_factory=list)
    seed: int = 0

    def layer(self, layer, *, inputs=(), outputs=(), chip=None, every=True):
        """Add a layer in each of its tilings (or the first), for the given layouts on offer."""
        chip = chip or hardware()
        rng = np.random.default_rng(self.seed)
        self.seed += 1
        arrays = {tensor.name: random_array(tensor, rng) for tensor in layer.inputs}
        result = expected(layer, arrays)
        offered = tuple(inputs) or ((),) * len(layer.inputs)
        plugin = Cpu()
        tilings = plugin.htvm_tilings(layer, Offers(inputs=offered, output=tuple(outputs)), chip)
        assert tilings
        for tiling in tilings if every else tilings[:1]:
            assert tiling.cost.total > 0
            constants = plugin.htvm_pack(layer, tiling, chip)
            packed = [
                (tensor.dtype, layout.pack(arrays[tensor.name], background=85))
                for tensor, layout in zip(layer.inputs, tiling.inputs, strict=True)
            ]
            self.parts.append(
                Part(
                    code=plugin.htvm_emit(layer, tiling, constants, None, chip),
                    constants=constants,
                    scratch_bytes=tiling.scratch_bytes,
                    inputs=packed,
                    dtype=layer.output.dtype,
                    layout=tiling.output,
                    result=result,
                    about=f"{[n.op for n in layer.nodes]} {tiling.inputs} -> {tiling.output}",
                    in_place=tiling.in_place,
                )
            )

    def conversion(self, shape, dtype, source, target, chip):
        """Add a conversion."""
        rng = np.random.default_rng(self.seed)
        self.seed += 1
        array = random_array(Tensor(name="x", shape=shape, dtype=dtype), rng)
        assert Cpu().htvm_convert_cost(shape, dtype, source, target, chip).total > 0
        self.parts.append(
            Part(
                code=Cpu().htvm_convert(shape, dtype, source, target, chip),
                constants=(),
                scratch_bytes=0,
                inputs=[(dtype, source.pack(array, background=85))],
                dtype=dtype,
                layout=target,
                result=array,
                about=f"convert {shape} {source} -> {target}",
            )
        )

    def check(self, *, compiler="gcc", flags=("-O2",)):
        """Compile, run, compare."""
        if shutil.which(compiler) is None:
            pytest.skip(f"{compiler} is not installed")
        self.folder.mkdir(parents=True, exist_ok=True)
        source = self.folder / "batch.c"
        source.write_text(program(self.parts))
        binary = self.folder / "batch"
        build = [compiler, *STRICT, *flags, str(source), "-o", str(binary), "-lm"]
        built = subprocess.run(build, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr[:4000]
        data = b"".join(array.tobytes() for part in self.parts for _, array in part.inputs)
        ran = subprocess.run([str(binary)], input=data, capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr.decode()[:4000]
        place = 0
        for part in self.parts:
            size = part.layout.size_bytes(part.dtype)
            piece = np.frombuffer(ran.stdout[place : place + size], dtype=part.dtype.numpy)
            place += size
            got = part.layout.unpack(piece, part.result.shape)
            np.testing.assert_array_equal(
                got, part.result, err_msg=f"{part.about}\n{part.code.body}"
            )
            if part.layout.fill is not None:
                np.testing.assert_array_equal(piece, part.layout.pack(part.result), part.about)

    def compile_elsewhere(self):
        """Compile with clang and for RV32IMC, where they are installed."""
        rv32 = ("--specs=picolibc.specs", "-march=rv32imc", "-mabi=ilp32", "-O1")
        for compiler, flags in (("clang", ("-O1",)), ("riscv64-unknown-elf-gcc", rv32)):
            if shutil.which(compiler):
                self.compile(compiler, flags)

    def compile(self, compiler, flags):
        """Compile only."""
        if shutil.which(compiler) is None:
            pytest.skip(f"{compiler} is not installed")
        source = self.folder / "batch.c"
        source.write_text(program(self.parts, main=False))
        command = [compiler, *STRICT, *flags, "-c", str(source), "-o", os.devnull]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr[:4000]


def program(parts, *, main=True):
    """One C file: every function, its data, and a main that feeds them from stdin to stdout."""
    includes = dict.fromkeys(name for part in parts for name in part.code.includes)
    helpers = dict.fromkeys(text for part in parts for text in part.code.helpers)
    lines = ["#include <stdint.h>", "#include <stdio.h>", *(f"#include <{i}>" for i in includes)]
    lines += helpers
    if not main:
        lines += [f"void layer{n}{head(part)};" for n, part in enumerate(parts)]
    for number, part in enumerate(parts):
        lines += function(number, part, "static " if main else "")
    if not main:
        return "\n".join([*lines, ""])
    lines += ["int main(void)", "{"]
    lines += [
        f"    if (fread({name}, 1, {size}, stdin) != {size}) return 1;"
        for name, size in feeds(parts)
    ]
    for number, part in enumerate(parts):
        arguments = [f"in{number}_{i}" for i in range(len(part.inputs))]
        arguments += [f"out{number}"] + [f"scratch{number}"] * bool(part.scratch_bytes)
        arguments += [f"constant{number}_{c.name}" for c in part.constants]
        lines += [f"    layer{number}({', '.join(arguments)});"] * 2
    for number, part in enumerate(parts):
        size = part.layout.size_bytes(part.dtype)
        lines.append(f"    if (fwrite(out{number}, 1, {size}, stdout) != {size}) return 1;")
    return "\n".join([*lines, "    return 0;", "}", ""])


def feeds(parts):
    return [
        (f"in{number}_{index}", array.nbytes)
        for number, part in enumerate(parts)
        for index, (_, array) in enumerate(part.inputs)
    ]


def head(part):
    names = [f"const {dtype.c_name} *in{index}" for index, (dtype, _) in enumerate(part.inputs)]
    names += [f"{part.dtype.c_name} *out"] + ["uint8_t *scratch"] * bool(part.scratch_bytes)
    names += [f"const {c.dtype.c_name} *{c.name}" for c in part.constants]
    return f"({', '.join(names)})"


def function(number, part, linkage):
    lines = []
    for constant_ in part.constants:
        values = ", ".join(spelled(v) for v in constant_.data.tolist())
        name = f"constant{number}_{constant_.name}"
        if linkage:
            lines.append(f"static const {constant_.dtype.c_name} {name}[] = {{{values}}};")
    if linkage:
        for index, (dtype, array) in enumerate(part.inputs):
            lines.append(f"static {dtype.c_name} in{number}_{index}[{array.size}];")
        lines.append(f"static {part.dtype.c_name} out{number}[{part.layout.size}];")
        if part.scratch_bytes:
            lines.append(f"static uint32_t words{number}[{-(-part.scratch_bytes // 4)}];")
            lines.append(f"#define scratch{number} ((uint8_t *)words{number})")
    return [
        *lines,
        f"{linkage}void layer{number}{head(part)}",
        "{",
        indent(part.code.body, "    "),
        "}",
    ]


def spelled(value):
    if isinstance(value, float):
        return f"{value.hex()}f"
    return "INT32_MIN" if value == -(2**31) else f"{value}LL" if abs(value) >= 2**31 else str(value)


@pytest.fixture
def batch(tmp_path):
    """Functions to compile and run together."""
    return Batch(folder=tmp_path)


@pytest.fixture
def build():
    """Makes a builder of one layer."""
    return LayerBuilder


@pytest.fixture
def chip():
    """Makes hardware with a core."""
    return hardware
