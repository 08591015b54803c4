"""Single quantised ops against onnxruntime: the same integers, every one."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from htvm.ir.dtype import DType
from htvm.ir.ops import Conv2d, Dense, Dequantize, Elementwise, MaxPool2d, Quantize, SumPool2d
from htvm.ir.requant import FloatRequant
from htvm.numerics import apply

ort = pytest.importorskip("onnxruntime", reason="onnxruntime is absent")

TYPES = {np.int8: TensorProto.INT8, np.uint8: TensorProto.UINT8, np.float32: TensorProto.FLOAT}


def run(nodes, x, output, constants):
    """The one output of a model of these nodes."""
    graph = helper.make_graph(
        nodes,
        "one",
        [helper.make_tensor_value_info("x", TYPES[x.dtype.type], x.shape)],
        [helper.make_tensor_value_info("y", TYPES[output], None)],
        [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    # Fused kernels would compute an addition in another order than its definition.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})[0]


def integers(generator, dtype, shape):
    bounds = np.iinfo(dtype)
    return generator.integers(bounds.min, bounds.max, shape, dtype=dtype, endpoint=True)


def requantised(acc, scale, zero_point, dtype, axis=None):
    """Requantise, in floats and emulated; both must agree."""
    bounds = np.iinfo(dtype)
    common = {
        "out": DType(np.dtype(dtype).name),
        "lo": int(bounds.min),
        "hi": int(bounds.max),
        "axis": axis,
        "scale": np.atleast_1d(scale).astype(np.float32),
        "zero_point": int(zero_point),
    }
    result = apply(FloatRequant(**common), acc)
    np.testing.assert_array_equal(apply(FloatRequant(**common, emulated=True), acc), result)
    return result


@pytest.fixture(params=[(0, np.int8), (1, np.uint8), (2, np.int8), (3, np.uint8)])
def case(request):
    """A generator, an element type, and whether scales are powers of two (many ties)."""
    seed, dtype = request.param
    return np.random.default_rng(seed), dtype, seed >= 2


def scale(generator, ties, size=None):
    power = generator.integers(-9, -5, size) if ties else generator.uniform(-9, -5, size)
    return np.float32(2.0**power)


@pytest.mark.parametrize(
    ("groups", "attributes"),
    [
        (1, {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
        (1, {"dilations": [2, 1]}),
        (4, {"pads": [1, 1, 1, 1]}),
        (2, {}),
    ],
)
def test_convolution(case, groups, attributes):
    generator, dtype, ties = case
    x = integers(generator, dtype, (1, 4, 12, 11))
    w = integers(generator, np.int8, (8, 4 // groups, 3, 3))
    b = generator.integers(-999, 999, 8, dtype=np.int32)
    sx, sy = scale(generator, ties), scale(generator, ties) * np.float32(32)
    sw = scale(generator, ties, 8)
    zx, zy = integers(generator, dtype, ()), integers(generator, dtype, ())
    constants = {
        "sx": sx, "zx": zx, "w": w, "sw": sw, "zw": np.zeros(8, np.int8), "sy": sy, "zy": zy, "b": b
    }  # fmt: skip
    node = helper.make_node("QLinearConv", ["x", *constants], ["y"], group=groups, **attributes)
    op = Conv2d(
        stride=tuple(attributes.get("strides", (1, 1))),
        pad=tuple(attributes.get("pads", (0, 0, 0, 0))),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        groups=groups,
        input_zero_point=int(zx),
    )
    ours = requantised(apply(op, x, w, b), sx * sw / sy, zy, dtype, axis=1)
    np.testing.assert_array_equal(ours, run([node], x, dtype, constants))


def test_dense(case):
    generator, dtype, ties = case
    x = integers(generator, dtype, (64, 50))
    w = integers(generator, np.int8, (20, 50))
    b = generator.integers(-999, 999, 20, dtype=np.int32)
    sx, sw, sy = scale(generator, ties), scale(generator, ties), scale(generator, ties) * 16
    zx, zy = integers(generator, dtype, ()), integers(generator, dtype, ())
    constants = {
        "sx": sx, "zx": zx, "w": w, "sw": sw, "zw": np.int8(0), "b": b, "sy": sy, "zy": zy
    }  # fmt: skip
    node = helper.make_node("QGemm", ["x", *constants], ["y"], transB=1, domain="com.microsoft")
    acc = apply(Dense(input_zero_point=int(zx)), x, w, b)
    ours = requantised(acc, sx * sw / sy, zy, dtype)
    np.testing.assert_array_equal(ours, run([node], x, dtype, constants))


def test_average_pool(case):
    generator, dtype, ties = case
    x = integers(generator, dtype, (1, 16, 8, 8))
    sx, sy = scale(generator, ties), scale(generator, ties)
    zx, zy = integers(generator, dtype, ()), integers(generator, dtype, ())
    constants = {"sx": sx, "zx": zx, "sy": sy, "zy": zy}
    node = helper.make_node(
        "QLinearGlobalAveragePool", ["x", *constants], ["y"], domain="com.microsoft"
    )
    acc = apply(SumPool2d(kernel=(8, 8), stride=(1, 1), input_zero_point=int(zx)), x)
    ours = requantised(acc, sx / np.float32(sy * 64), zy, dtype)
    np.testing.assert_array_equal(ours, run([node], x, dtype, constants))


def test_max_pool(case):
    generator, dtype, _ = case
    x = integers(generator, dtype, (1, 3, 9, 8))
    node = helper.make_node(
        "MaxPool", ["x"], ["y"], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]
    )
    ours = apply(MaxPool2d(kernel=(3, 2), stride=(2, 1), pad=(1, 0, 1, 1)), x)
    np.testing.assert_array_equal(ours, run([node], x, dtype, {}))


def test_quantize_and_dequantize(case):
    generator, dtype, ties = case
    s, z = scale(generator, ties), integers(generator, dtype, ())
    x = (generator.integers(-600, 600, (40, 40)) * (s / 2)).astype(np.float32)
    bounds = np.iinfo(dtype)
    quantize = Quantize(
        scale=np.atleast_1d(s),
        zero_point=int(z),
        out=DType(np.dtype(dtype).name),
        lo=int(bounds.min),
        hi=int(bounds.max),
    )
    constants = {"s": s, "z": z}
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
    q = apply(quantize, x)
    np.testing.assert_array_equal(q, run([node], x, dtype, constants))
    node = helper.make_node("DequantizeLinear", ["x", "s", "z"], ["y"])
    real = apply(Dequantize(scale=np.atleast_1d(s), zero_point=int(z)), q)
    np.testing.assert_array_equal(real, run([node], q, np.float32, constants))


def test_addition_between_quantisers(case):
    generator, dtype, ties = case
    x, other = integers(generator, dtype, (60, 60)), integers(generator, dtype, (60, 60))
    sa, sb, sy = (scale(generator, ties) for _ in range(3))
    za, zb, zy = (integers(generator, dtype, ()) for _ in range(3))
    constants = {"sa": sa, "za": za, "b": other, "sb": sb, "zb": zb, "sy": sy, "zy": zy}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "sa", "za"], ["fa"]),
        helper.make_node("DequantizeLinear", ["b", "sb", "zb"], ["fb"]),
        helper.make_node("Add", ["fa", "fb"], ["fy"]),
        helper.make_node("QuantizeLinear", ["fy", "sy", "zy"], ["y"]),
    ]
    a = apply(Dequantize(scale=np.atleast_1d(sa), zero_point=int(za)), x)
    b = apply(Dequantize(scale=np.atleast_1d(sb), zero_point=int(zb)), other)
    bounds = np.iinfo(dtype)
    quantize = Quantize(
        scale=np.atleast_1d(sy),
        zero_point=int(zy),
        out=DType(np.dtype(dtype).name),
        lo=int(bounds.min),
        hi=int(bounds.max),
    )
    ours = apply(quantize, apply(Elementwise(function="add"), a, b))
    np.testing.assert_array_equal(ours, run(nodes, x, dtype, constants))
