"""Whole graphs through TVM's default lowering."""

import subprocess

import cffi
import numpy as np
import pytest

from htvm.ir import ops, requant
from htvm.ir.dtype import DType
from htvm.numerics import execute
from htvm.tvm.network import lower_graph

_RANDOM = np.random.default_rng(11)


def _weights(*shape):
    return _RANDOM.integers(-128, 128, shape).astype(np.int8)


@pytest.fixture(scope="module")
def sample(samples):
    rescale = requant.FloatRequant(
        out=DType.INT8, lo=-128, hi=127, scale=np.float32([0.003]), zero_point=-3
    )
    image = _RANDOM.integers(-128, 128, (1, 3, 8, 8)).astype(np.int8)
    steps = [
        (ops.Conv2d(pad=(1, 1, 1, 1), input_zero_point=-4), "x", _weights(6, 3, 3, 3)),
        (rescale, 0),
        (ops.Conv2d(groups=6, pad=(1, 1, 1, 1)), 1, _weights(6, 1, 3, 3)),
        (rescale, 2),
        (ops.Cast(out=DType.INT32), 1),
        (ops.Cast(out=DType.INT32), 3),
        (ops.Elementwise(function="add"), 4, 5),
        (ops.ReduceSum(axes=(2, 3)), 6),
        (rescale, 7),
        (ops.Reshape(shape=(1, 6)), 8),
        (ops.Dense(), 9, _weights(4, 6)),
        (ops.Reshape(shape=(4,)), 10),
    ]
    return samples({"x": image}, steps)


@pytest.mark.parametrize("lowering", ["default", "scheduled"])
def test_equals_the_reference(sample, tmp_path, lowering):
    code = lower_graph(sample.graph, lowering=lowering)
    (tmp_path / "net.c").write_text(code.source)
    command = "gcc -std=c99 -Wall -Wextra -Werror -pedantic -ffp-contract=off -O2 -shared -fPIC"
    subprocess.run([*command.split(), "net.c", "-o", "net.so", "-lm"], cwd=tmp_path, check=True)
    ffi = cffi.FFI()
    ffi.cdef(f"void {code.function}(const int8_t *, int32_t *, uint8_t *);")
    library = ffi.dlopen(str(tmp_path / "net.so"))
    out = np.zeros(4, np.int32)
    arena = np.zeros(code.arena_bytes + 16, np.uint8)
    start = -arena.ctypes.data % 16

    for _ in range(2):
        getattr(library, code.function)(
            ffi.from_buffer("int8_t[]", sample.inputs["x"]),
            ffi.from_buffer("int32_t[]", out),
            ffi.from_buffer("uint8_t[]", arena[start:]),
        )
        (name,) = sample.graph.outputs
        np.testing.assert_array_equal(out, execute(sample.graph, sample.inputs)[name])


def test_same_text_every_time(sample):
    assert lower_graph(sample.graph) == lower_graph(sample.graph)
