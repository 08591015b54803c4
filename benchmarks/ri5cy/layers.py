"""The layers the cycle model is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from htvm.api import DType, Layer, Node, Tensor, constant, ops, requant

Shape = tuple[int, ...]


@dataclass
class Builder:
    """Collects the nodes and tensors of one layer."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)

    def input(self, shape: Shape, dtype: DType = DType.INT8) -> str:
        """A tensor from outside."""
        name = f"input{len(self.inputs)}"
        self.tensors[name] = Tensor(name=name, shape=shape, dtype=dtype)
        self.inputs.append(name)
        return name

    def weights(self, rng: np.random.Generator, shape: Shape, dtype: DType = DType.INT8) -> str:
        """A constant."""
        name = f"weights{len(self.tensors)}"
        self.tensors[name] = constant(name, rng.integers(-128, 128, shape), dtype)
        return name

    def floats(self, rng: np.random.Generator, shape: Shape) -> str:
        """A constant of floats."""
        name = f"weights{len(self.tensors)}"
        self.tensors[name] = constant(name, rng.normal(0, 1, shape), DType.FLOAT32)
        return name

    def add(self, op: ops.Op, inputs: list[str], shape: Shape, dtype: DType) -> str:
        """A node."""
        name = f"value{len(self.nodes)}"
        self.tensors[name] = Tensor(name=name, shape=shape, dtype=dtype)
        self.nodes.append(Node(name=name, op=op, inputs=tuple(inputs), output=name))
        return name

    def layer(self, name: str) -> Layer:
        """All of it as a layer of the cpu."""
        return Layer(
            name=name,
            engine="cpu",
            pattern="benchmark",
            nodes=tuple(self.nodes),
            captures={},
            inputs=tuple(self.tensors[name] for name in self.inputs),
            output=self.tensors[self.nodes[-1].output],
            tensors=dict(self.tensors),
        )


def requants(channels: int, rng: np.random.Generator) -> list[requant.Requant]:
    """One of each arithmetic, per channel."""
    common = {"out": DType.INT8, "hi": 127, "axis": 1}
    return [
        requant.TfliteRequant(
            **common,  # type: ignore[arg-type]
            lo=-128,
            mul=rng.integers(2**30, 2**31, channels),
            exponent=rng.integers(-10, -6, channels),
            zero_point=-128,
        ),
        requant.ShiftRequant(
            **common,  # type: ignore[arg-type]
            lo=0,
            mul=rng.integers(1, 40, channels),
            add=rng.integers(0, 1024, channels),
            shift=rng.integers(10, 16, channels),
        ),
        requant.FloatRequant(
            **common,  # type: ignore[arg-type]
            lo=-128,
            scale=rng.uniform(2**-12, 2**-9, channels).astype(np.float32),
            zero_point=3,
        ),
    ]


def convolutions(rng: np.random.Generator, count: int) -> Iterator[Layer]:
    """Random sizes, kernels, strides and paddings."""
    while count:
        kernel = int(rng.choice([1, 1, 3, 3, 3, 5]))
        channels = int(rng.choice([1, 3, 4, 5, 8, 16, 16, 24, 32, 64]))
        outputs = int(rng.choice([4, 6, 8, 10, 16, 16, 32, 64]))
        size = (int(rng.integers(1, 14)), int(rng.integers(1, 14)))
        if channels * outputs * size[0] * size[1] * kernel**2 > 2_000_000:
            continue
        layer = _convolution(rng, channels, outputs, size, kernel, 1)
        if layer is not None:
            count -= 1
            yield layer


def depthwise(rng: np.random.Generator, count: int) -> Iterator[Layer]:
    """Random sizes of depthwise convolutions."""
    while count:
        channels = int(rng.choice([4, 8, 16, 24, 64]))
        size = (int(rng.integers(3, 14)), int(rng.integers(3, 14)))
        kernel = int(rng.choice([3, 3, 3, 5]))
        layer = _convolution(rng, channels, channels, size, kernel, channels)
        if layer is not None:
            count -= 1
            yield layer


def _convolution(
    rng: np.random.Generator,
    channels: int,
    outputs: int,
    size: tuple[int, int],
    kernel: int,
    groups: int,
) -> Layer | None:
    stride = int(rng.choice([1, 1, 2]))
    pad = int(rng.choice([0, kernel // 2]))
    height, width = ((extent + 2 * pad - kernel) // stride + 1 for extent in size)
    if height < 1 or width < 1:
        return None
    make = Builder()
    image = make.input((1, channels, *size))
    weights = make.weights(rng, (outputs, channels // groups, kernel, kernel))
    op = ops.Conv2d(
        stride=(stride, stride), pad=(pad, pad, pad, pad), groups=groups, input_zero_point=-128
    )
    shape = (1, outputs, height, width)
    sums = make.add(op, [image, weights], shape, DType.INT32)
    tail = requants(outputs, rng)[int(rng.integers(3))]
    make.add(tail, [sums], shape, DType.INT8)
    return make.layer("convolution" if groups == 1 else "depthwise")


def dense(rng: np.random.Generator, count: int) -> Iterator[Layer]:
    """Random numbers of inputs and outputs."""
    for _ in range(count):
        taps, outputs = int(rng.integers(8, 400)), int(rng.integers(1, 130))
        make = Builder()
        row = make.input((1, taps))
        weights = make.weights(rng, (outputs, taps))
        sums = make.add(ops.Dense(input_zero_point=5), [row, weights], (1, outputs), DType.INT32)
        tail = requants(outputs, rng)[int(rng.integers(3))]
        make.add(tail, [sums], (1, outputs), DType.INT8)
        yield make.layer("dense")


def adds(rng: np.random.Generator, count: int) -> Iterator[Layer]:
    """TFLite's add and the float add of QDQ networks."""
    for number in range(count):
        shape = (1, *(int(extent) for extent in rng.integers(2, 14, 3)))
        make = Builder()
        between = DType.FLOAT32 if number % 2 else DType.INT32
        scaled = [make.add(_before(number), [make.input(shape)], shape, between) for _ in range(2)]
        total = make.add(ops.Elementwise(function="add"), scaled, shape, between)
        make.add(_behind(number), [total], shape, DType.INT8)
        yield make.layer("add")


def _before(number: int) -> ops.Op:
    if number % 2:
        return ops.Dequantize(scale=np.array([0.07], np.float32), zero_point=3)
    return requant.TfliteRequant(
        out=DType.INT32,
        lo=-(2**31),
        hi=2**31 - 1,
        mul=np.array([1518500250]),
        exponent=np.array([-1]),
        zero_point=0,
        input_zero_point=-20,
        left_shift=20,
    )


def _behind(number: int) -> ops.Op:
    if number % 2:
        return ops.Quantize(
            scale=np.array([0.12], np.float32), zero_point=1, out=DType.INT8, lo=-128, hi=127
        )
    return requant.TfliteRequant(
        out=DType.INT8,
        lo=-128,
        hi=127,
        mul=np.array([1518500250]),
        exponent=np.array([-19]),
        zero_point=-5,
    )


def pools(rng: np.random.Generator, count: int) -> Iterator[Layer]:
    """Average and maximum pools."""
    for number in range(count):
        kernel = int(rng.integers(2, 6))
        channels, windows = int(rng.integers(2, 40)), int(rng.integers(1, 5))
        where = {"kernel": (kernel, kernel), "stride": (kernel, kernel)}
        make = Builder()
        image = make.input((1, channels, kernel * windows, kernel * windows))
        op = ops.MaxPool2d(**where) if number % 2 else ops.AvgPool2d(**where)
        make.add(op, [image], (1, channels, windows, windows), DType.INT8)
        yield make.layer("max pool" if number % 2 else "average pool")


def float_products(rng: np.random.Generator, count: int) -> Iterator[Layer]:
    """Float convolutions, depthwise ones and dense layers, of bytes and of floats."""
    while count:
        groups = int(rng.choice([1, 1, 1, 8]))
        channels, outputs = groups * int(rng.integers(1, 9)), groups * int(rng.integers(1, 20))
        kernel = int(rng.choice([1, 1, 3, 5]))
        size = 1 if rng.integers(4) == 0 else int(rng.integers(kernel, 9))
        if channels * outputs // groups * size**2 * kernel**2 > 300_000:
            continue
        count -= 1
        yield _float_product(rng, channels, outputs, size, kernel, groups, quantised=count % 3 > 0)


def _float_product(
    rng: np.random.Generator,
    channels: int,
    outputs: int,
    size: int,
    kernel: int,
    groups: int,
    *,
    quantised: bool,
) -> Layer:
    make = Builder()
    is_dense = size == 1
    shape = (1, channels * 16) if is_dense else (1, channels, size, size)
    value = make.input(shape, DType.INT8 if quantised else DType.FLOAT32)
    taps = (channels * 16,) if is_dense else (channels // groups, kernel, kernel)
    operands = [value, make.floats(rng, (outputs, *taps)), make.floats(rng, (outputs,))]
    pad = kernel // 2
    op = ops.FloatDense() if is_dense else ops.FloatConv2d(pad=(pad,) * 4, groups=groups)
    op = replace(op, input_scale=0.0625, input_zero_point=3)
    result = (1, outputs) if is_dense else (1, outputs, size, size)
    value = make.add(op, operands, result, DType.FLOAT32)
    if quantised:
        behind = ops.Quantize(
            scale=np.array([0.4], np.float32), zero_point=1, out=DType.INT8, lo=-128, hi=127
        )
        make.add(behind, [value], result, DType.INT8)
    return make.layer("float product")


def soft_sweep() -> Iterator[Layer]:
    """Layers whose floats a core without an FPU computes in software."""
    for layer in float_products(np.random.default_rng(12), 12):
        yield replace(layer, name="float product, no FPU")


def sweep() -> Iterator[Layer]:
    """All of them, the same every time."""
    rng = np.random.default_rng(11)
    yield from convolutions(rng, 40)
    yield from depthwise(rng, 15)
    yield from dense(rng, 15)
    yield from adds(rng, 10)
    yield from pools(rng, 10)
    yield from float_products(rng, 20)
