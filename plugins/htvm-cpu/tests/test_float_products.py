"""Float convolutions and dense layers: the C adds in the order the reference does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from htvm.api import DType, Offers, channels_last, ops, row_major
from htvm_cpu.plugin import Cpu

CORES = ("generic", "ri5cy")
SANITIZE = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover")
FLOAT = DType.FLOAT32


def scale(*values):
    return np.array(values, np.float32)


def quantize():
    return ops.Quantize(scale=scale(0.21), zero_point=-5, out=DType.INT8, lo=-128, hi=127)


def source(make, shape, kind):
    """The input of a product, floats or bytes, and what the bytes mean."""
    if kind == "float":
        return make.input(shape, FLOAT), {}
    dtype = DType.UINT8 if kind == "uint8" else DType.INT8
    x = make.input(shape, dtype)
    if kind == "table":
        table = np.random.default_rng(2).normal(size=256).astype("f4")
        return make.add(ops.Lut(table=table, out=FLOAT), [x], shape, FLOAT), {}
    if kind == "recoded":
        table = np.random.default_rng(2).integers(0, 256, 256)
        x = make.add(ops.Lut(table=table, out=DType.UINT8), [x], shape, DType.UINT8)
        dtype = DType.UINT8
    return x, {"input_scale": float(np.float32(0.037)), "input_zero_point": dtype.bounds[0] + 100}


def tail(make, y, shape, kind):
    if kind == "relu":
        y = make.add(ops.Clip(lo=0.0, hi=6.0), [y], shape, FLOAT)
    if kind != "none":
        make.add(quantize(), [y], shape, DType.INT8)


def convolution(make, rng, *, channels, outputs, size, kernel, pad, kinds, biased=True, **frame):
    x, meaning = source(make, (1, channels, *size), kinds[0])
    op = ops.FloatConv2d(pad=pad, **frame, **meaning)
    weights = rng.normal(0, 1, (outputs, channels // op.groups, *kernel))
    operands = [x, make.constant(weights, FLOAT)]
    if biased:
        operands.append(make.constant(rng.normal(0, 3, outputs), FLOAT))
    spans = [(kernel[i] - 1) * op.dilation[i] + 1 for i in (0, 1)]
    height, width = ((size[i] + pad[i] + pad[i + 2] - spans[i]) // op.stride[i] + 1 for i in (0, 1))
    shape = (1, outputs, height, width)
    tail(make, make.add(op, operands, shape, FLOAT), shape, kinds[1])
    return make.layer()


@st.composite
def layers(draw):
    groups = draw(st.sampled_from((1, 1, 2, 5)))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    reach = [(kernel[i] - 1) * dilation[i] + 1 for i in (0, 1)]
    return {
        "groups": groups,
        "channels": groups * draw(st.integers(1, 4)),
        "outputs": groups * draw(st.integers(1, 11)),
        "size": tuple(extent + draw(st.integers(0, 3)) for extent in reach),
        "kernel": kernel,
        "dilation": dilation,
        "stride": draw(st.tuples(st.integers(1, 2), st.integers(1, 3))),
        "pad": tuple(draw(st.integers(0, reach[axis % 2] - 1)) for axis in range(4)),
        "biased": draw(st.booleans()),
        "kinds": (
            draw(st.sampled_from(("float", "int8", "uint8", "table", "recoded"))),
            draw(st.sampled_from(("none", "relu", "quantize"))),
        ),
    }


@budget(max_examples=4)
@given(cases=st.lists(layers(), min_size=6, max_size=6), seed=st.integers(0, 99))
def test_any_convolution(batch, build, chip, cases, seed):
    rng = np.random.default_rng(seed)
    batch.parts.clear()
    for number, case in enumerate(cases):
        host = chip(CORES[number % 2], fpu=number % 3 > 0)
        layer = convolution(build(), rng, **case)
        shapes = layer.inputs[0].shape, layer.output.shape
        batch.layer(
            layer,
            inputs=((row_major(shapes[0]),),),
            outputs=(row_major(shapes[1]), channels_last(shapes[1])),
            chip=host,
        )
    batch.check(flags=SANITIZE)


@pytest.mark.parametrize("core", CORES)
def test_dense(batch, build, chip, core):
    rng = np.random.default_rng(3)
    for shape, outputs in (((1, 7), 3), ((1, 64), 10), ((2, 3, 17), 9), ((5,), 1)):
        for kinds in (
            ("float", "none"),
            ("int8", "quantize"),
            ("uint8", "relu"),
            ("recoded", "none"),
        ):
            make = build()
            x, meaning = source(make, shape, kinds[0])
            operands = [
                x,
                make.constant(rng.normal(0, 1, (outputs, shape[-1])), FLOAT),
                make.constant(rng.normal(0, 1, outputs), FLOAT),
            ]
            out = (*shape[:-1], outputs)
            tail(make, make.add(ops.FloatDense(**meaning), operands, out, FLOAT), out, kinds[1])
            batch.layer(make.layer(), chip=chip(core, fpu=outputs != 9))
    batch.check(flags=SANITIZE)
    batch.compile_elsewhere()


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_vectorising_compilers_keep_the_order(batch, build, compiler):
    rng = np.random.default_rng(4)
    for outputs, groups in ((16, 1), (13, 1), (8, 8)):
        layer = convolution(
            build(),
            rng,
            channels=8,
            outputs=outputs,
            size=(6, 7),
            kernel=(3, 3),
            pad=(1, 1, 1, 1),
            kinds=("int8", "none"),
            groups=groups,
        )
        batch.layer(layer)
    batch.check(compiler=compiler, flags=("-O3", "-march=native"))


def test_bytes_are_looked_up_where_floats_are_software(build, chip):
    make = build()
    layer = convolution(
        make,
        np.random.default_rng(0),
        channels=2,
        outputs=3,
        size=(4, 4),
        kernel=(3, 3),
        pad=(0, 0, 0, 0),
        kinds=("int8", "quantize"),
    )
    names = {}
    for fpu in (True, False):
        hardware = chip("ri5cy", fpu=fpu)
        offers = Offers(inputs=((),), output=())
        tiling = Cpu().htvm_tilings(layer, offers, hardware)[0]
        names[fpu] = [c.name for c in Cpu().htvm_pack(layer, tiling, hardware)]
    assert names == {True: ["weights", "bias"], False: ["weights", "bias", "reals"]}


def test_float_sums_of_windows_and_axes(batch, build, chip):
    for core in CORES:
        for kernel, stride, pad in (((3, 2), (2, 1), (1, 1, 0, 0)), ((5, 4), (1, 1), (0,) * 4)):
            make = build()
            x = make.input((1, 3, 5, 4), FLOAT)
            out = [(5, 4)[i] + pad[i] + pad[i + 2] - kernel[i] for i in (0, 1)]
            shape = (1, 3, out[0] // stride[0] + 1, out[1] // stride[1] + 1)
            op = ops.SumPool2d(kernel=kernel, stride=stride, pad=pad)
            make.add(op, [x], shape, FLOAT)
            batch.layer(make.layer(), inputs=((row_major((1, 3, 5, 4)),),), chip=chip(core))
        for axes in ((1,), (2, 3), (-1,), (1, 2)):
            make = build()
            x = make.input((1, 3, 5, 4), FLOAT)
            kept = [1 if i in {a % 4 for a in axes} else e for i, e in enumerate((1, 3, 5, 4))]
            y = make.add(ops.ReduceSum(axes=axes), [x], tuple(kept), FLOAT)
            make.add(quantize(), [y], tuple(kept), DType.INT8)
            batch.layer(make.layer(), inputs=((channels_last((1, 3, 5, 4)),),), chip=chip(core))
    batch.check(flags=SANITIZE)
