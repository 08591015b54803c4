"""One-layer networks, and a batch of layers run on the emulation in one sanitised program."""

import atexit
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from htvm.api import (
    DType,
    Graph,
    Layout,
    Node,
    Offers,
    Origin,
    Tensor,
    constant,
    load_hardware,
    ops,
    requant,
)
from htvm.numerics import execute
from htvm.partition.stage import match
from htvm.schedule.check import check_program
from htvm_diana import packing, rewrites, runtime, schedule, tilings
from htvm_diana.cycles import core_of
from htvm_diana.emit import emit
from htvm_diana.patterns import patterns
from htvm_diana.problem import Choice
from htvm_diana.tiling import choose

HARDWARE = load_hardware(
    (Path(tilings.__file__).parent / "hardware.toml").read_text(encoding="utf-8")
)
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def with_memories(*, l1=256_000, weights=64_000):
    """DIANA with other memories."""
    sizes = {"l1": l1, "weights": weights}
    memories = {
        name: replace(memory, size_bytes=sizes.get(name, memory.size_bytes))
        for name, memory in HARDWARE.memories.items()
    }
    return replace(HARDWARE, memories=memories)


def with_parameter(key, value):
    """DIANA with another setting of the digital core."""
    core = HARDWARE.engines["digital"]
    changed = replace(core, parameters={**core.parameters, key: value})
    return replace(HARDWARE, engines={**HARDWARE.engines, "digital": changed})


def shift_requant(shift, *, mul=(1,), add=(0,), lo=-128, hi=127, axis=None):
    return requant.ShiftRequant(
        out=DType.INT8,
        lo=lo,
        hi=hi,
        axis=axis,
        mul=np.array(mul, np.int64),
        add=np.array(add, np.int64),
        shift=np.atleast_1d(np.array(shift, np.int64)),
    )


def graph_of(inputs, nodes, tensors):
    return Graph(
        name="test",
        inputs=tuple(inputs),
        outputs=(nodes[-1].output,),
        nodes=tuple(nodes),
        tensors={tensor.name: tensor for tensor in tensors},
        origin=Origin(path="", format="built"),
    )


def computed(name, shape, dtype=DType.INT8):
    return Tensor(name=name, shape=tuple(shape), dtype=dtype)


def conv_graph(
    seed,
    *,
    shape,
    outputs,
    kernel=(3, 3),
    stride=(1, 1),
    pad=(1, 1, 1, 1),
    dilation=(1, 1),
    groups=1,
    op=None,
):
    """Convolution with random weights and bias; ``shape`` is (C, H, W)."""
    rng = np.random.default_rng(seed)
    channels, height, width = shape
    weights = rng.integers(-128, 128, (outputs, channels // groups, *kernel))
    bias = rng.integers(-(2**14), 2**14, outputs)
    reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    out = (
        (height + pad[0] + pad[2] - reach[0]) // stride[0] + 1,
        (width + pad[1] + pad[3] - reach[1]) // stride[1] + 1,
    )
    conv = ops.Conv2d(stride=stride, pad=pad, dilation=dilation, groups=groups)
    return graph_of(
        ["x"],
        [
            Node(name="conv", op=conv, inputs=("x", "w", "b"), output="acc"),
            Node(name="q", op=op or shift_requant(9), inputs=("acc",), output="y"),
        ],
        [
            computed("x", (1, *shape)),
            constant("w", weights, DType.INT8),
            constant("b", bias, DType.INT32),
            computed("acc", (1, outputs, *out), DType.INT32),
            computed("y", (1, outputs, *out)),
        ],
    )


def dense_graph(seed, *, shape, outputs, op=None):
    """Dense layer on a vector, or on an image through a Reshape."""
    rng = np.random.default_rng(seed)
    length = int(np.prod(shape))
    dense = Node(name="dense", op=ops.Dense(), inputs=("flat", "w", "b"), output="acc")
    flatten = Node(name="flatten", op=ops.Reshape(shape=(1, length)), inputs=("x",), output="flat")
    nodes = [flatten, dense] if len(shape) == 3 else [dense]
    if len(shape) == 1:
        dense = Node(name="dense", op=ops.Dense(), inputs=("x", "w", "b"), output="acc")
        nodes = [dense]
    nodes.append(Node(name="q", op=op or shift_requant(8), inputs=("acc",), output="y"))
    return graph_of(
        ["x"],
        nodes,
        [
            computed("x", (1, *shape)),
            computed("flat", (1, length)),
            constant("w", rng.integers(-128, 128, (outputs, length)), DType.INT8),
            constant("b", rng.integers(-(2**14), 2**14, outputs), DType.INT32),
            computed("acc", (1, outputs), DType.INT32),
            computed("y", (1, outputs)),
        ],
    )


def add_graph(*, shape, op=None, function="add", scales=(None, None), same=False, widen=None):
    """Sum of two tensors, each widened and perhaps multiplied by a constant."""
    names = ("a", "a") if same else ("a", "b")
    nodes, tensors, ends = [], [computed(name, (1, *shape)) for name in dict.fromkeys(names)], []
    for side, (name, scale) in enumerate(zip(names, scales, strict=True)):
        wide = f"wide{side}"
        nodes.append(
            Node(name=wide, op=widen or ops.Cast(out=DType.INT32), inputs=(name,), output=wide)
        )
        tensors.append(computed(wide, (1, *shape), DType.INT32))
        if scale is not None:
            times = ops.Elementwise(function="mul")
            nodes.append(
                Node(name=f"s{side}", op=times, inputs=(wide, f"k{side}"), output=f"m{side}")
            )
            tensors.append(computed(f"m{side}", (1, *shape), DType.INT32))
            tensors.append(constant(f"k{side}", [scale], DType.INT32))
            wide = f"m{side}"
        ends.append(wide)
    nodes.append(
        Node(name="sum", op=ops.Elementwise(function=function), inputs=tuple(ends), output="acc")
    )
    nodes.append(Node(name="q", op=op or shift_requant(0), inputs=("acc",), output="y"))
    tensors += [computed("acc", (1, *shape), DType.INT32), computed("y", (1, *shape))]
    return graph_of(dict.fromkeys(names), nodes, tensors)


def matches(graph, hardware=HARDWARE):
    session = SimpleNamespace(patterns=lambda: patterns(hardware), hardware=hardware)
    return match(graph, session)


def whole_layers(graph, hardware=HARDWARE):
    """The layers that take in the whole graph: one, or none."""
    found = matches(graph, hardware).layers
    return [layer for layer in found if len(layer.nodes) == len(graph.nodes)][:1]


def layer_of(graph, hardware=HARDWARE):
    """The layer that takes in the whole graph."""
    found = whole_layers(graph, hardware)
    assert found, reasons(graph, hardware)
    return found[0]


def reasons(graph, hardware=HARDWARE):
    return [rejection.reason for rejection in matches(graph, hardware).rejections]


def no_offers(layer):
    return Offers(inputs=((),) * len(layer.inputs))


def all_tilings(layer, hardware=HARDWARE):
    """Every realisation that fits, none dropped for a cheaper one."""
    core = core_of(hardware)
    found = []
    for one in rewrites.realisations(layer, no_offers(layer), hardware):
        choice = choose(one.problem, core)
        if isinstance(choice, Choice):
            found.append(tilings._tiling(one, choice))
    return found


@dataclass(kw_only=True, eq=False)
class Case:
    """One layer with one tiling, and what it must give."""

    graph: Graph
    layer: object
    tiling: tilings.DianaTiling
    hardware: object = HARDWARE
    seed: int = 0

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        one = self.tiling.realisation
        self.packed = packing.constants(one)
        self.program = schedule.program(one, self.tiling.choice, self.packed)
        self.code = emit(self.program, "")
        self.inputs = {
            tensor.name: rng.integers(-128, 128, tensor.shape).astype(np.int8)
            for tensor in self.layer.inputs
        }
        for tensor in self.layer.inputs[:1]:
            self.inputs[tensor.name].flat[:2] = (-128, 127)
        self.expect()

    def expect(self):
        """What the integer reference gives for the inputs."""
        self.expected = execute(self.graph, self.inputs)[self.layer.output.name]

    def __str__(self):
        return f"{self.tiling.realisation.problem} {self.tiling.rewrites} {self.tiling.summary}"

    def check(self):
        memories = self.hardware.memories
        check_program("layer", self.program, self.layer.output, self.tiling.output, memories)

    def buffers(self):
        """Constant, then inputs as they lie in memory, free bytes holding noise."""
        rng = np.random.default_rng(self.seed + 1)
        yield self.packed[0].data if self.packed else np.zeros(4, np.uint8)
        for tensor, layout in zip(self.layer.inputs, self.tiling.inputs, strict=True):
            yield noisy(layout, self.inputs[tensor.name], rng)


def noisy(layout: Layout, array, rng):
    buffer = layout.pack(array)
    if layout.fill is None:
        used = np.zeros(layout.size, bool)
        used[layout.addresses(array.shape)] = True
        buffer[~used] = rng.integers(-128, 128, int((~used).sum()))
    return buffer


MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "htvm_diana.h"
#include "htvm_diana_emulator.h"
%(functions)s
typedef struct { uint32_t count; uint32_t size[3]; uint32_t out; } sizes;
typedef void (*wrapper)(int8_t *const *in, int8_t *out, const uint8_t *weights);
static const sizes table[] = {
%(sizes)s
};
static const wrapper wrappers[] = {
%(wrappers)s
};
static void *fresh(FILE *from, uint32_t size) {
  void *data = malloc(size);
  if (fread(data, 1, size, from) != size) { exit(2); }
  return data;
}
int main(int argc, char **argv) {
  FILE *from = fopen(argv[1], "rb");
  FILE *to = fopen(argv[2], "wb");
  const uint32_t cases = (uint32_t)(sizeof table / sizeof table[0]);
  for (uint32_t n = 0; n < cases; n++) {
    const sizes *one = &table[n];
    uint8_t *weights = fresh(from, one->size[0]);
    int8_t *in[2] = {NULL, NULL};
    int8_t *out = malloc(one->out);
    htvm_region regions[4] = {{weights, one->size[0], 0}, {out, one->out, 1}};
    memset(out, 0x5a, one->out);
    for (uint32_t i = 0; i < one->count; i++) {
      in[i] = fresh(from, one->size[i + 1]);
      regions[i + 2].data = in[i];
      regions[i + 2].size = one->size[i + 1];
      regions[i + 2].writable = 0;
    }
    htvm_diana_reset();
    htvm_diana_begin(regions, one->count + 2);
    wrappers[n](in, out, weights);
    htvm_diana_end();
    const char *error = htvm_diana_error();
    const uint64_t cycles = htvm_diana_cycles();
    const uint32_t length = error == NULL ? 0 : (uint32_t)strlen(error);
    fwrite(&cycles, 8, 1, to);
    fwrite(&length, 4, 1, to);
    if (error != NULL) { fwrite(error, 1, length, to); }
    fwrite(out, 1, one->out, to);
    free(weights); free(in[0]); free(in[1]); free(out);
  }
  fclose(from); fclose(to);
  return argc == 3 ? 0 : 1;
}
"""


@cache
def emulation(chip, flags, compiler):
    """Folder of headers and objects of the emulation, built once for each way of building it."""
    folder = Path(tempfile.mkdtemp(prefix="htvm-diana-"))
    atexit.register(shutil.rmtree, folder)
    sources = {**runtime.headers(), **runtime.emulation(chip)}
    for name, text in sources.items():
        (folder / name).write_text(text, encoding="utf-8")
    files = [name for name in sources if name.endswith(".c")]
    subprocess.run([compiler, *STRICT, *flags, "-c", *files], check=True, cwd=folder)
    return folder


def run(cases, folder, *, chip=None, flags=SANITIZE, compiler="cc"):
    """Run every case; gives (cycles, error, output tensor) for each."""
    built = emulation(chip, flags, compiler)
    main, program = folder / "main.c", folder / "program"
    main.write_text(_main(cases), encoding="utf-8")
    files = [f"-I{built}", main, *sorted(built.glob("*.o")), "-o", program]
    subprocess.run([compiler, *STRICT, *flags, *files], check=True)
    data = b"".join(part.tobytes() for case in cases for part in case.buffers())
    (folder / "in.bin").write_bytes(data)
    subprocess.run([program, folder / "in.bin", folder / "out.bin"], check=True)
    return _results(cases, (folder / "out.bin").read_bytes())


def verify(cases, folder, **options):
    """Every case is bit-exact, breaks no rule, and takes the cycles the tiler said."""
    for case, (cycles, error, output) in zip(cases, run(cases, folder, **options), strict=True):
        assert not error, f"{case}: {error}"
        wrong = np.argwhere(output != case.expected)
        assert not wrong.size, f"{case}: {len(wrong)} differ, first at {wrong[0]}"
        assert cycles == case.tiling.cost.total, str(case)


def _results(cases, data):
    at = 0
    for case in cases:
        cycles, length = struct.unpack_from("<QI", data, at)
        at += 12
        error = data[at : at + length].decode()
        at += length
        layout = case.tiling.output
        buffer = np.frombuffer(data, np.int8, layout.size, at)
        at += layout.size
        yield cycles, error, layout.unpack(buffer, case.layer.output.shape)


def _main(cases):
    functions, sizes, wrappers = [], [], []
    for number, case in enumerate(cases):
        buffers = [part.size for part in case.buffers()]
        count = len(buffers) - 1
        names = [f"const int8_t *in{index}" for index in range(count)]
        head = ", ".join([*names, "int8_t *out", "const uint8_t *weights"])
        call = ", ".join([*(f"in[{index}]" for index in range(count)), "out", "weights"])
        body = "\n".join("  " + line for line in case.code.body.split("\n"))
        unused = " ".join(
            f"(void){name};" for name in ["weights", *(f"in{i}" for i in range(count))]
        )
        functions.append(
            f"static void layer{number}({head}) {{\n  {unused}\n{body}\n}}\n"
            f"static void wrap{number}(int8_t *const *in, int8_t *out, const uint8_t *weights) "
            f"{{ layer{number}({call}); }}"
        )
        padded = ", ".join(str(size) for size in [*buffers, 0, 0][:3])
        sizes.append(f"  {{{count}, {{{padded}}}, {case.tiling.output.size}}},")
        wrappers.append(f"  wrap{number},")
    return MAIN % {
        "functions": "\n".join(functions),
        "sizes": "\n".join(sizes),
        "wrappers": "\n".join(wrappers),
    }
