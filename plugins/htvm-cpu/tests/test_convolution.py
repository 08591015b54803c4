"""Convolutions, depthwise ones included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from htvm.api import DType, ops, requant, row_major, strided

CORES = ("generic", "ri5cy")
PICOLIBC = ("--specs=picolibc.specs",)


def requants(channels, rng, out=DType.INT8):
    """One of each arithmetic, per channel and per tensor."""
    lo, hi = out.bounds
    for count, axis in ((channels, 1), (1, None)):
        common = {"out": out, "axis": axis}
        yield requant.ShiftRequant(
            **common,
            lo=0,
            hi=hi,
            mul=rng.integers(-40, 40, count),
            add=rng.integers(-(2**20), 2**20, count),
            shift=rng.integers(0, 16, count),
        )
        yield requant.Mulshift31Requant(
            **common,
            lo=lo,
            hi=hi,
            mul=rng.integers(2**30, 2**31, count),
            shift=rng.integers(36, 42, count),
            zero_point=3,
        )
        yield requant.TfliteRequant(
            **common,
            lo=lo,
            hi=hi - 9,
            mul=rng.integers(2**30, 2**31, count),
            exponent=rng.integers(-12, -3, count),
            zero_point=lo,
        )
        yield requant.TfliteRequant(
            **common,
            lo=lo,
            hi=hi,
            mul=rng.integers(2**30, 2**31, count),
            exponent=rng.integers(-31, 3, count),
            zero_point=-7,
        )
        scale = rng.uniform(2.0**-12, 2.0**-6, count).astype(np.float32)
        tie = np.full(count, 2.0**-7, dtype=np.float32)
        for emulated in (False, True):
            for values in (scale, tie):
                yield requant.FloatRequant(
                    **common, lo=lo, hi=hi, scale=values, zero_point=5, emulated=emulated
                )


def convolution(
    build,
    rng,
    *,
    channels=3,
    outputs=5,
    size=(6, 7),
    kernel=(3, 3),
    stride=(1, 1),
    pad=(1, 1, 1, 1),
    dilation=(1, 1),
    groups=1,
    dtype=DType.INT8,
    weight=DType.INT8,
    zero_point=0,
    weight_zero_point=0,
    bias=True,
    tail=None,
):
    """A convolution layer, or None when the window does not fit."""
    height, width = (
        (size[i] + pad[i] + pad[i + 2] - (kernel[i] - 1) * dilation[i] - 1) // stride[i] + 1
        for i in (0, 1)
    )
    if height < 1 or width < 1:
        return None
    make = build()
    x = make.input((1, channels, *size), dtype)
    shape = (outputs, channels // groups, *kernel)
    w = make.constant(rng.integers(*weight.bounds, shape, endpoint=True), weight)
    operands = [x, w]
    if bias:
        operands.append(make.constant(rng.integers(-5000, 5000, outputs), DType.INT32))
    op = ops.Conv2d(
        stride=stride,
        pad=pad,
        dilation=dilation,
        groups=groups,
        input_zero_point=zero_point,
        weight_zero_point=weight_zero_point,
    )
    y = make.add(op, operands, (1, outputs, height, width), DType.INT32)
    if tail is not None:
        make.add(tail, [y], (1, outputs, height, width), tail.out)
    return make.layer()


def layouts(shape):
    """Planes, padded reversed rows, and channels last with gaps."""
    _, c, h, w = shape
    padded = -(-w // 16) * 16
    return (
        row_major(shape),
        strided(
            "rows", shape, (0, h * padded, padded, 1), size=c * h * padded, word_bytes=4, fill=0
        ),
        strided("gaps", shape, (0, 1, w * (c + 3), c + 3), size=h * w * (c + 3)),
    )


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("fpu", [True, False])
def test_every_arithmetic(batch, build, chip, core, fpu):
    rng = np.random.default_rng(1)
    for groups in (1, 6):
        for tail in requants(6, rng):
            layer = convolution(
                build, rng, channels=6, outputs=6, groups=groups, zero_point=-5, tail=tail
            )
            batch.layer(layer, chip=chip(core, fpu))
    batch.check()


@pytest.mark.parametrize("core", CORES)
def test_every_layout(batch, build, chip, core):
    rng = np.random.default_rng(2)
    tail = next(requants(6, rng))
    for groups in (1, 2, 6):
        layer = convolution(build, rng, channels=6, outputs=6, groups=groups, tail=tail)
        offered = layouts(layer.inputs[0].shape)
        batch.layer(layer, inputs=(offered,), outputs=layouts(layer.output.shape), chip=chip(core))
    batch.check()


@given(data=st.data())
@budget(max_examples=4)
@pytest.mark.parametrize("core", CORES)
def test_shapes(batch, build, chip, core, data):
    batch.parts.clear()
    rng = np.random.default_rng(3)
    pads = st.tuples(*[st.integers(0, 2)] * 4)
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    for _ in range(12):
        groups = data.draw(st.sampled_from([1, 1, 2, 5]))
        channels = groups * data.draw(st.integers(1, 4))
        depthwise = data.draw(st.booleans())
        dtype = data.draw(st.sampled_from([DType.INT8, DType.UINT8]))
        weight = data.draw(st.sampled_from([DType.INT8, DType.INT8, DType.UINT8]))
        layer = convolution(
            build,
            rng,
            channels=channels,
            outputs=channels if depthwise else groups * data.draw(st.integers(1, 5)),
            size=data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9))),
            kernel=data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6))),
            stride=data.draw(pairs),
            pad=data.draw(pads),
            dilation=data.draw(pairs),
            groups=channels if depthwise else groups,
            dtype=dtype,
            weight=weight,
            zero_point=data.draw(st.integers(*dtype.bounds)),
            weight_zero_point=data.draw(st.sampled_from([0, weight.bounds[0] + 77])),
            bias=data.draw(st.booleans()),
            tail=data.draw(st.sampled_from([None, *requants(1, rng)])),
        )
        if layer is not None:
            batch.layer(layer, chip=chip(core))
    batch.check(flags=("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover"))


@pytest.mark.parametrize("core", CORES)
def test_accumulators_wrap(batch, build, chip, core):
    make = build()
    x = make.input((1, 2, 3, 3))
    w = make.constant(np.full((4, 2, 3, 3), -128), DType.INT8)
    b = make.constant([2**31 - 1, -(2**31), 2**31 - 5, 7], DType.INT32)
    make.add(ops.Conv2d(input_zero_point=-128), [x, w, b], (1, 4, 1, 1), DType.INT32)
    batch.layer(make.layer(), chip=chip(core))
    batch.check(flags=("-O1", "-fsanitize=undefined", "-fno-sanitize-recover"))


@pytest.mark.parametrize(
    ("compiler", "flags"),
    [
        ("clang", ("-O2",)),
        ("riscv64-unknown-elf-gcc", (*PICOLIBC, "-march=rv32imc", "-mabi=ilp32", "-O2")),
    ],
)
def test_other_compilers_take_it(batch, build, chip, compiler, flags):
    rng = np.random.default_rng(4)
    for core in CORES:
        for groups in (1, 6):
            for tail in requants(6, rng):
                layer = convolution(build, rng, channels=6, outputs=6, groups=groups, tail=tail)
                batch.layer(layer, chip=chip(core))
    batch.compile(compiler, flags)
