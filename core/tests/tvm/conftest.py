"""Small layers as self-checking C programs: inputs, constants and expected output inside."""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.tensor import Tensor, constant
from htvm.numerics import apply
from htvm.target.layer import Layer
from htvm.tvm.tail import TailCode

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off")

Step = tuple[Any, ...]
"""An op, then its operands: names of inputs, numbers of earlier steps, or constant arrays."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A layer with one input for it and what it must give."""

    layer: Layer
    graph: Graph
    inputs: Mapping[str, np.ndarray]
    expected: np.ndarray


def make_sample(inputs: Mapping[str, np.ndarray], steps: Sequence[Step]) -> Sample:
    values = dict(inputs)
    tensors = {name: _tensor(name, array) for name, array in inputs.items()}
    nodes = []
    for number, (op, *operands) in enumerate(steps):
        names = []
        for position, operand in enumerate(operands):
            name = operand
            if isinstance(operand, np.ndarray):
                name = f"c{number}_{position}"
                values[name] = operand
                tensors[name] = constant(name, operand, DType(operand.dtype.name))
            names.append(f"t{name}" if isinstance(name, int) else name)
        output = f"t{number}"
        values[output] = apply(op, *(values[name] for name in names))
        tensors[output] = _tensor(output, values[output])
        nodes.append(Node(name=f"n{number}", op=op, inputs=tuple(names), output=output))
    return _sample(tuple(nodes), tensors, values, tuple(inputs))


def _sample(
    nodes: tuple[Node, ...],
    tensors: Mapping[str, Tensor],
    values: Mapping[str, np.ndarray],
    inputs: tuple[str, ...],
) -> Sample:
    last = nodes[-1].output
    return Sample(
        layer=Layer(
            name="layer",
            engine="cpu",
            pattern="tail",
            nodes=nodes,
            captures={},
            inputs=tuple(tensors[name] for name in inputs),
            output=tensors[last],
            tensors=tensors,
        ),
        graph=Graph(
            name="net",
            inputs=inputs,
            outputs=(last,),
            nodes=nodes,
            tensors=tensors,
            origin=Origin(path="net", format="built"),
        ),
        inputs={name: values[name] for name in inputs},
        expected=values[last],
    )


def _tensor(name: str, array: np.ndarray) -> Tensor:
    return Tensor(name=name, shape=array.shape, dtype=DType(array.dtype.name))


def program(cases: Mapping[str, tuple[Sample, TailCode]]) -> str:
    """A C program that runs every case and prints those that differ."""
    helpers = dict.fromkeys(text for _, code in cases.values() for text in code.helpers)
    includes = dict.fromkeys(name for _, code in cases.values() for name in code.includes)
    parts = [f"#include <{name}>" for name in (*includes, "stdio.h", "string.h")]
    parts += helpers
    parts += [_function(name, sample, code) for name, (sample, code) in cases.items()]
    checks = "\n".join(f"    failed += check_{name}();" for name in cases)
    parts.append(
        f'int main(void)\n{{\n    int failed = 0;\n{checks}\n    printf("done %d\\n", failed);\n'
        "    return failed != 0;\n}\n"
    )
    return "\n\n".join(parts)


def _function(name: str, sample: Sample, code: TailCode) -> str:
    arrays = {f"in{i}": array for i, array in enumerate(sample.inputs.values())}
    arrays |= {item.name: item.data for item in code.constants}
    kinds = {key: DType(array.dtype.name).c_name for key, array in arrays.items()}
    kind = DType(sample.expected.dtype.name).c_name
    ins = [key for key in arrays if key.startswith("in") and key[2:].isdigit()]
    rest = [key for key in arrays if key not in ins]
    head = ", ".join(
        [
            *(f"const {kinds[key]} *{key}" for key in ins),
            f"{kind} *out",
            "uint8_t *scratch",
            *(f"const {kinds[key]} *{key}" for key in rest),
        ]
    )
    data = "\n".join(_array(f"    static const {kinds[key]} {key}", arrays[key]) for key in arrays)
    call = ", ".join([*ins, "out", "scratch + 4", *rest])
    count, room = sample.expected.size, code.scratch_bytes
    return f"""static void run_{name}({head})
{{
    (void)scratch;
{code.body}
}}

static int check_{name}(void)
{{
{data}
{_array(f"    static const {kind} expected", sample.expected)}
    static {kind} out[{count} + 1];
    static uint64_t memory[{room} / 8 + 2];
    uint8_t *scratch = (uint8_t *)memory;
    memset(out, 0x5a, sizeof out);
    memset(memory, 0x5a, sizeof memory);
    run_{name}({call});
    for (int i = 0; i < {count}; ++i) {{
        if (memcmp(&out[i], &expected[i], sizeof out[i]) != 0) {{
            printf("{name} differs at %d: %g, expected %g\\n", i, (double)out[i],
                   (double)expected[i]);
            return 1;
        }}
    }}
    if (((uint8_t *)&out[{count}])[0] != 0x5a || scratch[4 + {room}] != 0x5a) {{
        printf("{name} writes behind its buffers\\n");
        return 1;
    }}
    return 0;
}}"""


def _array(head: str, array: np.ndarray) -> str:
    flat = np.ravel(array)
    if flat.dtype == np.float32:
        words = [f"{float(value).hex()}f" for value in flat]
    else:
        words = ["(INT64_MIN)" if v == -(2**63) else f"{v}LL" for v in map(int, flat)]
    return f"{head}[{len(words)}] = {{{', '.join(words)}}};"


@pytest.fixture(scope="session")
def samples() -> Callable[[Mapping[str, np.ndarray], Sequence[Step]], Sample]:
    return make_sample


@pytest.fixture(scope="session")
def run_program(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Compile a program with a compiler and flags, run it, and give its output."""

    def run(
        cases: Mapping[str, tuple[Sample, TailCode]],
        compiler: str,
        *flags: str,
        runner: tuple[str, ...] = (),
    ) -> subprocess.CompletedProcess[str]:
        assert shutil.which(compiler), f"{compiler} is needed to test the printed C"
        folder = tmp_path_factory.mktemp("program")
        (folder / "main.c").write_text(program(cases))
        command = [compiler, *STRICT, *flags, "main.c", "-o", "main", "-lm"]
        built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr[:4000]
        return subprocess.run(
            [*runner, folder / "main"], capture_output=True, text=True, check=False, timeout=60
        )

    return run
