"""Every other kernel: dense, matmul, pools, sums, softmax, element-wise, moves, conversions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from htvm.api import Axis, DType, Layout, channels_last, ops, requant, row_major, strided

CORES = ("generic", "ri5cy")
SANITIZE = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover")


def rows(shape, fill=0):
    """DIANA's form: planes of padded rows with reversed words."""
    _, c, h, w = shape
    padded = -(-w // 16) * 16
    strides = (0, h * padded, padded, 1)
    return strided("rows", shape, strides, size=c * h * padded, word_bytes=4, fill=fill)


def blocks(shape):
    """Channels in blocks of four."""
    _, c, h, w = shape
    axes = (
        Axis(stride=0),
        Axis(stride=4 * h * w, block=4, inner=1),
        Axis(stride=4 * w),
        Axis(stride=4),
    )
    return Layout(name="blocks", axes=axes, size=-(-c // 4) * 4 * h * w)


def turned(shape):
    """As rows, but along the height."""
    _, c, h, w = shape
    padded = -(-h // 8) * 8
    strides = (0, w * padded, 1, padded)
    return strided("turned", shape, strides, size=c * w * padded, word_bytes=4)


def flat(shape):
    """Planes without gaps between rows, each plane padded, words reversed."""
    _, c, h, w = shape
    plane = -(-h * w // 16) * 16
    return strided("flat", shape, (0, plane, w, 1), size=c * plane, word_bytes=4, fill=0)


def every(shape):
    return (
        row_major(shape),
        channels_last(shape),
        rows(shape),
        rows(shape, None),
        turned(shape),
        flat(shape),
        blocks(shape),
    )


def few(shape):
    return (row_major(shape), rows(shape), blocks(shape))


def tflite(zero_point=3, *, lo=-128, exponent=-2, **other):
    return requant.TfliteRequant(
        out=other.pop("out", DType.INT8),
        lo=lo,
        hi=other.pop("hi", 127),
        mul=np.array([1518500250]),
        exponent=np.array([exponent]),
        zero_point=zero_point,
        **other,
    )


def single(scale=0.03, zero_point=-4, *, emulated=False):
    return requant.FloatRequant(
        out=DType.INT8,
        lo=-128,
        hi=127,
        scale=np.array([scale], dtype=np.float32),
        zero_point=zero_point,
        emulated=emulated,
    )


def shifted(mul=1, add=0, shift=1):
    return requant.ShiftRequant(
        out=DType.INT8,
        lo=0,
        hi=127,
        mul=np.array([mul]),
        add=np.array([add]),
        shift=np.array([shift]),
    )


@pytest.mark.parametrize("core", CORES)
def test_dense(batch, build, chip, core):
    rng = np.random.default_rng(5)
    for shape, outputs in (((1, 7), 3), ((1, 64), 10), ((2, 3, 17), 9), ((5,), 1)):
        for tail in (None, tflite(exponent=-9), single(0.001), shifted(1, 8, 9)):
            make = build()
            x = make.input(shape, DType.UINT8 if tail is None else DType.INT8)
            w = make.constant(rng.integers(-128, 128, (outputs, shape[-1])), DType.INT8)
            b = make.constant(rng.integers(-500, 500, outputs), DType.INT32)
            out = (*shape[:-1], outputs)
            y = make.add(ops.Dense(input_zero_point=9), [x, w, b], out, DType.INT32)
            if tail is not None:
                make.add(tail, [y], out, tail.out)
            strides = tuple(2 * s for s in np.cumprod((1, *shape[:0:-1]))[::-1].tolist())
            batch.layer(
                make.layer(), inputs=((strided("apart", shape, strides),),), chip=chip(core)
            )
    batch.check(flags=SANITIZE)


def test_matmul(batch, build):
    for a, b, out in (
        ((3, 5), (5, 4), (3, 4)),
        ((2, 3, 8), (2, 8, 3), (2, 3, 3)),
        ((2, 2, 3, 5), (5, 7), (2, 2, 3, 7)),
        ((1, 3, 5), (4, 5, 1), (4, 3, 1)),
    ):
        for tail in (None, tflite(exponent=-9)):
            make = build()
            operands = [make.input(a), make.input(b, DType.UINT8)]
            y = make.add(ops.MatMul(a_zero_point=4, b_zero_point=130), operands, out, DType.INT32)
            if tail is not None:
                make.add(tail, [y], out, tail.out)
            batch.layer(make.layer())
    make = build()
    x = make.input((4, 4))
    make.add(ops.MatMul(a_zero_point=1, b_zero_point=-2), [x, x], (4, 4), DType.INT32)
    batch.layer(make.layer())
    batch.check(flags=SANITIZE)
    batch.compile_elsewhere()


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("halvings", [1, 2, 5, 23])
def test_half_to_even_of_powers_of_two(batch, build, chip, core, halvings):
    for zero_point, times in ((0, 1), (3, -7), (0, 1 << 15)):
        make = build()
        x = make.input((1, 16, 16))
        wide = make.add(ops.Cast(out=DType.INT32), [x], (1, 16, 16), DType.INT32)
        factor = make.constant([times], DType.INT32)
        total = make.add(ops.Elementwise(function="mul"), [wide, factor], (1, 16, 16), DType.INT32)
        make.add(single(2.0**-halvings, zero_point), [total], (1, 16, 16), DType.INT8)
        batch.layer(make.layer(), chip=chip(core))
    batch.check(flags=SANITIZE)


def pooled(size, kernel, stride, pad):
    return tuple((size[i] + pad[i] + pad[i + 2] - kernel[i]) // stride[i] + 1 for i in (0, 1))


@pytest.mark.parametrize("core", CORES)
def test_pools(batch, build, chip, core):
    cases = (
        (1, (4, 5), (4, 5), (1, 1), (0, 0, 0, 0)),
        (3, (8, 6), (4, 6), (2, 1), (0, 0, 0, 0)),
        (6, (7, 6), (3, 2), (2, 1), (1, 0, 1, 1)),
    )
    for channels, size, kernel, stride, pad in cases:
        shape = (1, channels, *size)
        out = (1, channels, *pooled(size, kernel, stride, pad))
        where = {"kernel": kernel, "stride": stride, "pad": pad}
        for op, tail, dtype in (
            (ops.MaxPool2d(**where), None, DType.INT8),
            (ops.MaxPool2d(**where), None, DType.FLOAT32),
            (ops.MaxPool2d(**where), tflite(input_zero_point=3, exponent=1), DType.UINT8),
            (ops.AvgPool2d(**where, lo=-100, hi=100), None, DType.INT8),
            (ops.AvgPool2d(**where, lo=0, hi=255), None, DType.UINT8),
            (ops.SumPool2d(**where, input_zero_point=-3), None, DType.INT8),
            (ops.SumPool2d(**where, input_zero_point=-3), single(0.02), DType.INT8),
            (ops.SumPool2d(**where), shifted(5, 3, 4), DType.UINT8),
        ):
            make = build()
            x = make.input(shape, dtype)
            between = DType.INT32 if isinstance(op, ops.SumPool2d) else dtype
            y = make.add(op, [x], out, between)
            if tail is not None:
                make.add(tail, [y], out, tail.out)
            offered = every if dtype.size_bytes == 1 else lambda s: every(s)[:2]
            result = (lambda s: few(s)[:2]) if tail is not None else lambda s: every(s)[:1]
            batch.layer(
                make.layer(), inputs=(offered(shape),), outputs=result(out), chip=chip(core)
            )
    batch.check(flags=SANITIZE)


def test_sums(batch, build):
    shape = (1, 5, 3, 4)
    for axes, keep, out in (
        ((2, 3), True, (1, 5, 1, 1)),
        ((2, 3), False, (1, 5)),
        ((1,), False, (1, 3, 4)),
        ((-1,), True, (1, 5, 3, 1)),
        ((0, 1, 2, 3), False, ()),
    ):
        for tail in (None, tflite()):
            make = build()
            x = make.input(shape)
            op = ops.ReduceSum(axes=axes, keepdims=keep, input_zero_point=2)
            y = make.add(op, [x], out, DType.INT32)
            if tail is not None:
                make.add(tail, [y], out, tail.out)
            batch.layer(make.layer(), inputs=(every(shape),))
    batch.check(flags=SANITIZE)
    batch.compile_elsewhere()


def test_softmax(batch, build):
    table = np.exp(-0.1 * np.arange(256)).astype(np.float32)
    quantise = ops.Quantize(
        scale=np.array([1 / 256], np.float32), zero_point=-128, out=DType.INT8, lo=-128, hi=127
    )
    for shape in ((1, 10), (3, 7), (2, 1), (1, 300)):
        for op, out in (
            (ops.SoftmaxTflite(mul=1465000000, left_shift=23, diff_min=-110), DType.INT8),
            (ops.SoftmaxTflite(mul=1873497472, left_shift=25, diff_min=-31), DType.INT8),
            (ops.SoftmaxTable(table=table, axis=-1), DType.FLOAT32),
            (ops.SoftmaxTable(table=table, axis=0), DType.FLOAT32),
            (
                ops.QLinearSoftmax(table=table[::-1], scale=256.0, zero_point=-128, axis=1),
                DType.INT8,
            ),
        ):
            make = build()
            y = make.add(op, [make.input(shape)], shape, out)
            if isinstance(op, ops.SoftmaxTable):
                make.add(quantise, [y], shape, DType.INT8)
            batch.layer(make.layer())
    batch.check(flags=SANITIZE)
    batch.compile_elsewhere()


def added(
    build, shape, first, second, between, last, *, function="add", other=None, dtype=DType.INT8
):
    """Two inputs, an op before each, and ops behind."""
    make = build()
    operands = []
    for op, size in ((first, shape), (second, other or shape)):
        x = make.input(size, dtype)
        operands.append(x if op is None else make.add(op, [x], size, between))
    y = make.add(ops.Elementwise(function=function), operands, shape, between)
    for op, out in last:
        y = make.add(op, [y], shape, out)
    return make.layer()


def test_adds(batch, build, chip):
    wide = {"out": DType.INT32, "lo": -(2**31), "hi": 2**31 - 1}
    left = tflite(0, input_zero_point=-20, left_shift=20, exponent=-1, **wide)
    right = tflite(0, input_zero_point=7, left_shift=20, exponent=-3, **wide)
    real = ops.Dequantize(scale=np.array([0.07], np.float32), zero_point=3)
    out = ops.Quantize(
        scale=np.array([0.125], np.float32), zero_point=1, out=DType.INT8, lo=-128, hi=127
    )
    away = ops.Quantize(
        scale=np.array([0.14], np.float32),
        zero_point=1,
        out=DType.INT8,
        lo=-128,
        hi=127,
        rounding="away",
    )
    cast = ops.Cast(out=DType.INT32)
    shape = (1, 6, 3, 5)
    for layer in (
        added(build, shape, left, right, DType.INT32, [(tflite(-5, exponent=-19), DType.INT8)]),
        added(build, shape, real, real, DType.FLOAT32, [(out, DType.INT8)]),
        added(build, shape, real, real, DType.FLOAT32, [(away, DType.INT8)]),
        added(build, shape, cast, cast, DType.INT32, [(shifted(), DType.INT8)]),
        added(
            build, shape, cast, cast, DType.INT32, [(shifted(3, 1, 2), DType.INT8)], other=(6, 1, 1)
        ),
    ):
        offered = few(shape) if len(layer.inputs[1].shape) == 4 else ()
        batch.layer(layer, inputs=(few(shape), offered), outputs=few(shape))
    batch.check(flags=SANITIZE)
    batch.compile_elsewhere()


def test_elementwise_functions(batch, build):
    shape = (2, 3, 4)
    for function in ("add", "sub", "mul", "min", "max", "div"):
        for dtype in (DType.INT32, DType.FLOAT32):
            if function == "div" and dtype is DType.INT32:
                continue
            for other in (shape, (4,), (3, 1), (1, 1, 1)):
                batch.layer(
                    added(
                        build,
                        shape,
                        None,
                        None,
                        dtype,
                        [],
                        function=function,
                        other=other,
                        dtype=dtype,
                    )
                )
                make = build()
                value = np.arange(1, 1 + np.prod(other)).reshape(other)
                operands = [make.input(shape, dtype), make.constant(value, dtype)]
                make.add(ops.Elementwise(function=function), operands, shape, dtype)
                batch.layer(make.layer())
    batch.check(flags=("-O1", "-fsanitize=address,undefined", "-fno-sanitize=float-divide-by-zero"))


def test_maps(batch, build, chip):
    shape = (1, 3, 4, 5)
    scale = np.array([0.5, 0.25, 0.03], np.float32)
    steps = np.array([0.1], np.float32)
    narrow = {"zero_point": -3, "out": DType.INT8, "lo": -128, "hi": 127}
    whole = {"zero_point": 9, "out": DType.INT32, "lo": -(2**31), "hi": 2**31 - 1}
    table = np.arange(256)[::-1].astype(np.uint8)
    for op, dtype, out in (
        (ops.Clip(lo=-3, hi=40), DType.INT8, DType.INT8),
        (ops.Clip(lo=-0.5, hi=6.0), DType.FLOAT32, DType.FLOAT32),
        (ops.Cast(out=DType.INT32), DType.UINT8, DType.INT32),
        (ops.Cast(out=DType.FLOAT32), DType.INT32, DType.FLOAT32),
        (ops.Lut(table=table, out=DType.UINT8), DType.INT8, DType.UINT8),
        (ops.Lut(table=table.astype(np.float32), out=DType.FLOAT32), DType.UINT8, DType.FLOAT32),
        (ops.Quantize(scale=steps, **narrow), DType.FLOAT32, DType.INT8),
        (ops.Quantize(scale=steps, **narrow, rounding="away"), DType.FLOAT32, DType.INT8),
        (ops.Quantize(scale=scale, **narrow, axis=1), DType.FLOAT32, DType.INT8),
        (ops.Quantize(scale=steps, **whole), DType.FLOAT32, DType.INT32),
        (ops.Dequantize(scale=scale, zero_point=-3, axis=1), DType.INT8, DType.FLOAT32),
        (ops.Dequantize(scale=steps, zero_point=0), DType.INT32, DType.FLOAT32),
        (tflite(), DType.INT32, DType.INT8),
        (single(1e-6), DType.INT32, DType.INT8),
        (single(1e-6, emulated=True), DType.INT32, DType.INT8),
        (single(3e-5, emulated=True), DType.INT32, DType.INT8),
    ):
        make = build()
        make.add(op, [make.input(shape, dtype)], shape, out)
        sized = few if dtype.size_bytes == 1 else lambda s: few(s)[:1]
        result = few if out.size_bytes == 1 else lambda s: few(s)[:1]
        batch.layer(make.layer(), inputs=(sized(shape),), outputs=result(shape))
    batch.check()
    batch.compile_elsewhere()


def test_moves(batch, build):
    shape = (1, 4, 5, 6)
    pad = ops.Pad(before=(0, 2, 1, 0), after=(0, 0, 3, 2), value=-7)
    cut = ops.Slice(start=(0, 1, 0, 2), stop=(1, 4, 5, 6), step=(1, 2, 3, 1))
    for op, out in ((pad, (1, 6, 9, 8)), (cut, (1, 2, 2, 4))):
        make = build()
        make.add(op, [make.input(shape)], out, DType.INT8)
        batch.layer(make.layer(), inputs=(few(shape),), outputs=few(out))
    for axis in range(4):
        make = build()
        names = [make.input(shape), make.input(shape)]
        out = tuple(3 * n if i == axis else n for i, n in enumerate(shape))
        make.add(ops.Concat(axis=axis), [*names, names[0]], out, DType.INT8)
        offered = (few(shape),) * 2
        batch.layer(make.layer(), inputs=offered, outputs=few(out) if axis else ())
    make = build()
    make.add(ops.Concat(axis=-1), [make.input((2, 3)), make.input((2, 1))], (2, 4), DType.INT8)
    batch.layer(make.layer())
    batch.check(flags=SANITIZE)
    batch.compile_elsewhere()


@given(shape=st.tuples(st.just(1), st.integers(1, 5), st.integers(1, 9), st.integers(1, 40)))
@budget(max_examples=3)
@pytest.mark.parametrize("core", CORES)
def test_conversions(batch, chip, core, shape):
    batch.parts.clear()
    for source in every(shape):
        for target in every(shape):
            batch.conversion(shape, DType.INT8, source, target, chip(core))
    batch.conversion(shape, DType.INT32, row_major(shape), channels_last(shape), chip(core))
    batch.conversion(shape, DType.INT32, row_major(shape), row_major(shape), chip(core))
    batch.check(flags=SANITIZE)
