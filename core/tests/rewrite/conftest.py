"""Small networks drawn at random, in every arithmetic networks come in."""

import numpy as np
import pytest
from hypothesis import strategies as st

from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.requant import FloatRequant, Mulshift31Requant, ShiftRequant, TfliteRequant
from htvm.ir.tensor import Tensor, constant

I8, U8, I32, F32 = DType.INT8, DType.UINT8, DType.INT32, DType.FLOAT32


class Drawing:
    """A network being drawn, layer by layer."""

    def __init__(self, seed, dtype):
        self.random = np.random.default_rng(seed)
        self.dtype = dtype
        self.tensors = {}
        self.nodes = []
        channels, height, width = (int(n) for n in self.random.integers((1, 3, 3), (5, 7, 7)))
        self.last = self.tensor("x", (1, channels, height, width), dtype)

    def pick(self, *choices):
        return choices[int(self.random.integers(len(choices)))]

    def tensor(self, name, shape, dtype):
        self.tensors[name] = Tensor(name=name, shape=tuple(shape), dtype=dtype)
        return name

    def constant(self, values, dtype):
        name = f"c{len(self.tensors)}"
        self.tensors[name] = constant(name, values, dtype)
        return name

    def node(self, op, inputs, shape, dtype):
        name = f"t{len(self.tensors)}"
        self.nodes.append(Node(name=f"n{len(self.nodes)}", op=op, inputs=inputs, output=name))
        return self.tensor(name, shape, dtype)

    def shape(self, name):
        return self.tensors[name].shape

    def zero_point(self):
        lo, hi = self.dtype.bounds
        return self.pick(0, 0, lo, hi, int(self.random.integers(lo, hi + 1)))

    def weights(self, shape):
        """Of few values now and then, so that some accumulators meet no tie."""
        step = self.pick(1, 1, 1, 2, 4, 16)
        reach = self.pick(1, 3, 127) // step
        return self.random.integers(-reach, reach + 1, shape) * step

    def conv(self):
        _, channels, height, width = self.shape(self.last)
        kernel = self.pick((1, 1), (3, 3), (3, 1), (2, 2))
        pad = self.pick((0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 1, 0))
        depthwise = self.pick(True, False) and channels > 1
        groups = channels if depthwise else 1
        outputs = channels if depthwise else int(self.random.integers(1, 5))
        height += pad[0] + pad[2] - kernel[0] + 1
        width += pad[1] + pad[3] - kernel[1] + 1
        if min(height, width) < 1:
            return
        op = ops.Conv2d(
            pad=pad,
            groups=groups,
            input_zero_point=self.zero_point(),
            weight_zero_point=self.pick(0, 0, 0, 1),
        )
        inputs = [
            self.last,
            self.constant(self.weights((outputs, channels // groups, *kernel)), I8),
        ]
        if self.pick(True, False):
            inputs.append(self.constant(self.random.integers(-999, 999, outputs), I32))
        acc = self.node(op, tuple(inputs), (1, outputs, height, width), I32)
        acc = self.moved(acc)
        self.last = self.requantised(acc, axis=1)

    def moved(self, acc):
        """What some exporters leave between an accumulator and its requantisation."""
        shape = self.shape(acc)
        if min(shape[2:]) > 1 and self.pick(True, False, False):
            pool = ops.MaxPool2d(kernel=(2, 2), stride=(1, 1))
            return self.node(pool, (acc,), (*shape[:2], shape[2] - 1, shape[3] - 1), I32)
        if self.pick(True, False, False):
            op = ops.Transpose(perm=(0, 1, 3, 2))
            return self.node(op, (acc,), (*shape[:2], shape[3], shape[2]), I32)
        return acc

    def requantised(self, acc, axis):
        shape = self.shape(acc)
        channels = self.pick(1, shape[axis])
        lo, hi = self.dtype.bounds
        zero = self.pick(0, 0, lo, 7, -3 if lo < 0 else 3)
        lo = self.pick(lo, max(lo, zero))
        hi = self.pick(hi, hi, 100)
        common = {"out": self.dtype, "lo": lo, "hi": hi, "axis": axis if channels > 1 else None}
        shift = self.random.integers(0, 10, channels)
        exact = 2.0**-shift
        kind = self.pick("f32", "f32", "f32", "shift", "shift", "mulshift31", "tflite")
        if kind == "f32":
            scale = exact * self.pick(1.0, 1.0, 1.0, self.random.uniform(0.6, 0.9))
            op = FloatRequant(**common, scale=scale.astype(np.float32), zero_point=zero)
        elif kind == "shift":
            mul = self.pick(1, 1, 3, -1) * np.ones(channels, np.int64)
            add = self.random.integers(-300, 300, channels) + (zero << shift)
            op = ShiftRequant(**common, mul=mul, add=add, shift=shift)
        elif kind == "mulshift31":
            mul = np.full(channels, self.pick(2**30, 1518500250))
            op = Mulshift31Requant(**common, mul=mul, shift=shift + 30, zero_point=zero)
        else:
            mul = np.full(channels, self.pick(2**30, 1518500250))
            op = TfliteRequant(**common, mul=mul, exponent=1 - shift, zero_point=zero)
        return self.node(op, (acc,), shape, self.dtype)

    def table(self):
        """A ReLU of another scale, a clip, or anything."""
        lo, hi = self.dtype.bounds
        codes = np.arange(lo, hi + 1)
        values = self.pick(
            np.maximum(codes, 0),
            np.clip(codes, -20, 96),
            np.rint(np.maximum(codes, 0) / 2),
            self.random.permutation(codes),
        )
        table = np.clip(values, lo, hi).astype(self.dtype.numpy)
        op = ops.Lut(table=table, out=self.dtype)
        self.last = self.node(op, (self.last,), self.shape(self.last), self.dtype)

    def padded(self):
        _, channels, height, width = self.shape(self.last)
        op = ops.Pad(before=(0, 0, 1, 0), after=(0, 0, 0, 1), value=self.zero_point())
        shape = (1, channels, height + 1, width + 1)
        self.last = self.node(op, (self.last,), shape, self.dtype)

    def residual(self):
        """A sum with a function of the last tensor, in one of the three arithmetics."""
        shape, other = self.shape(self.last), self.last
        self.table()
        zeros = [self.pick(0, 0, 5), self.pick(0, 0, -2)]
        lo, hi = self.dtype.bounds
        kind = self.pick("float", "float", "whole", "tflite")
        if kind == "float":
            scales = [2.0 ** self.pick(0, 1, -1), self.pick(1.0, 2.0, 0.5, 0.3)]
            sides = [
                ops.Dequantize(scale=np.array([scale], np.float32), zero_point=zero)
                for scale, zero in zip(scales, zeros, strict=True)
            ]
            scale = np.array([self.pick(1.0, 2.0, 4.0)], np.float32)
            end = ops.Quantize(
                scale=scale, zero_point=self.pick(0, 4), out=self.dtype, lo=lo, hi=hi
            )
            wide = F32
        elif kind == "whole":
            sides, wide = [ops.Cast(out=I32)] * 2, I32
            end = ShiftRequant(
                out=self.dtype,
                lo=self.pick(lo, 0),
                hi=hi,
                mul=np.array([self.pick(1, 3)]),
                add=np.array([self.pick(0, 1)]),
                shift=np.array([self.pick(0, 1)]),
            )
        else:
            wide = I32
            multipliers = [self.pick(2**30, 1200000000) for _ in range(2)]
            sides = [
                TfliteRequant(
                    out=I32,
                    lo=-(2**31),
                    hi=2**31 - 1,
                    mul=np.array([mul]),
                    exponent=np.array([0]),
                    zero_point=0,
                    input_zero_point=zero,
                    left_shift=20,
                )
                for mul, zero in zip(multipliers, zeros, strict=True)
            ]
            end = TfliteRequant(
                out=self.dtype,
                lo=lo,
                hi=hi,
                mul=np.array([2**30]),
                exponent=np.array([-18]),
                zero_point=self.pick(0, 4),
            )
        names = [
            self.node(op, (name,), shape, wide)
            for op, name in zip(sides, (other, self.last), strict=True)
        ]
        total = self.node(ops.Elementwise(function="add"), tuple(names), shape, wide)
        self.last = self.node(end, (total,), shape, self.dtype)

    def dense(self):
        size = int(np.prod(self.shape(self.last)))
        flat = self.node(ops.Reshape(shape=(1, size)), (self.last,), (1, size), self.dtype)
        outputs = int(self.random.integers(1, 5))
        weights = self.constant(self.weights((outputs, size)), I8)
        op = ops.Dense(input_zero_point=self.zero_point())
        acc = self.node(op, (flat, weights), (1, outputs), I32)
        self.last = self.requantised(acc, axis=1)

    def graph(self):
        return Graph(
            name="drawn",
            inputs=("x",),
            outputs=(self.last,),
            nodes=tuple(self.nodes),
            tensors=self.tensors,
            origin=Origin(path="", format="built"),
        )


@st.composite
def networks(draw, dtypes=(I8,)):
    """Networks of one to three layers, and inputs for them: extreme ones and random ones."""
    drawing = Drawing(draw(st.integers(0, 2**32)), draw(st.sampled_from(dtypes)))
    for _ in range(draw(st.integers(1, 3))):
        drawing.conv()
        if drawing.nodes:
            getattr(drawing, draw(st.sampled_from(["table", "padded", "residual", "residual"])))()
    if draw(st.booleans()) or not drawing.nodes:
        drawing.dense()
    graph = drawing.graph()
    lo, hi = drawing.dtype.bounds
    shape = graph.tensors["x"].shape[1:]
    samples = drawing.random.integers(lo, hi + 1, (8, *shape))
    samples[0], samples[1] = lo, hi
    samples[2] = drawing.random.integers(-2 if lo else 0, 3, shape)
    return graph, {"x": samples.astype(drawing.dtype.numpy)}


@pytest.fixture(scope="session")
def drawn_networks():
    """The strategy, for tests that cannot import from here."""
    return networks
