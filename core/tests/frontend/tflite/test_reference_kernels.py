"""Every op against TFLite Micro, whose kernels are TFLite's reference ones."""

import numpy as np
import pytest

from htvm.frontend.tflite import integerise
from htvm.numerics import execute, random_inputs

runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the PyPI package tflite-micro is absent"
)

SAMPLES = 9
RELU, RELU_N1_TO_1, RELU6 = 1, 2, 3
SAME, VALID = 0, 1
SHAPE = (1, 6, 5, 4)


def check(file):
    graph = integerise(file.source())
    inputs = {
        name: np.concatenate([first, second])
        for (name, first), second in zip(
            random_inputs(graph, SAMPLES, 3).items(),
            random_inputs(graph, SAMPLES, 3, "extreme").values(),
            strict=True,
        )
    }
    results = execute(graph, inputs)
    interpreter = runtime.Interpreter.from_bytes(file.data(), arena_size=1 << 20)
    for index in range(2 * SAMPLES):
        for number, name in enumerate(graph.inputs):
            size = graph.tensors[name].shape[0]
            interpreter.set_input(inputs[name][index * size : (index + 1) * size], number)
        interpreter.invoke()
        for number, name in enumerate(graph.outputs):
            size = graph.tensors[name].shape[0]
            ours = results[name][index * size : (index + 1) * size]
            np.testing.assert_array_equal(ours, interpreter.get_output(number))


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


def scale(rng):
    return float(np.float32(2.0 ** rng.uniform(-7, -3)))


def zero_point(rng):
    return int(rng.integers(-128, 128))


def bytes_of(rng, shape):
    return rng.integers(-127, 128, shape, dtype=np.int8)


def one_input(file, rng, shape=SHAPE):
    file.inputs = [file.tensor("x", shape, scale(rng), zero_point(rng))]
    file.outputs = ["y"]


def spec(file, name):
    (found,) = [tensor for tensor in file.tensors if tensor.name == name]
    return found.scale[0], found.zero_point[0]


def pool(file):
    """Puts an op that computes images between the input and what follows."""
    file.tensor("p", SHAPE, *spec(file, "x"))
    window = {"StrideW": 1, "StrideH": 1, "FilterWidth": 2, "FilterHeight": 2, "Padding": SAME}
    file.op("MAX_POOL_2D", ["x"], ["p"], **window)
    return "p"


def convolution(file, rng, kind, shape, filter_shape, out, *, bias=True, per_channel=True, **more):
    one_input(file, rng, shape)
    channels = out[-1]
    filter_scale = 2.0 ** rng.uniform(-12, -8, channels if per_channel else 1)
    axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
    inputs = ["x", file.constant("w", bytes_of(rng, filter_shape), filter_scale, axis=axis)]
    if bias:
        values = rng.integers(-(2**12), 2**12, channels, dtype=np.int32)
        inputs.append(file.constant("b", values, spec(file, "x")[0] * filter_scale))
    file.tensor("y", out, scale(rng), zero_point(rng))
    window = {} if kind == "FULLY_CONNECTED" else {"StrideW": 1, "StrideH": 1, "Padding": SAME}
    file.op(kind, inputs, ["y"], **{**window, **more})


@pytest.mark.parametrize(
    ("filter_shape", "out", "options"),
    [
        ((8, 3, 3, 4), (1, 6, 5, 8), {}),
        ((8, 3, 3, 4), (1, 3, 3, 8), {"StrideW": 2, "StrideH": 2}),
        ((8, 2, 3, 4), (1, 5, 3, 8), {"Padding": VALID, "FusedActivationFunction": RELU}),
        ((8, 3, 2, 4), (1, 2, 4, 8), {"Padding": VALID, "StrideH": 2}),
        ((8, 3, 2, 4), (1, 6, 5, 8), {"DilationHFactor": 2, "DilationWFactor": 3}),
        ((8, 3, 3, 2), (1, 6, 5, 8), {"FusedActivationFunction": RELU6}),
        ((8, 1, 1, 4), (1, 6, 5, 8), {"FusedActivationFunction": RELU_N1_TO_1, "bias": False}),
        ((8, 3, 3, 4), (1, 6, 5, 8), {"per_channel": False}),
    ],
)
def test_conv_2d(file, rng, filter_shape, out, options):
    convolution(file, rng, "CONV_2D", SHAPE, filter_shape, out, **options)
    check(file)


@pytest.mark.parametrize(
    ("multiplier", "out", "options"),
    [
        (1, (1, 6, 5, 4), {}),
        (3, (1, 3, 3, 12), {"StrideW": 2, "StrideH": 2, "FusedActivationFunction": RELU}),
        (2, (1, 4, 3, 8), {"Padding": VALID, "FusedActivationFunction": RELU6}),
    ],
)
def test_depthwise_conv_2d(file, rng, multiplier, out, options):
    filter_shape = (1, 3, 3, 4 * multiplier)
    convolution(
        file, rng, "DEPTHWISE_CONV_2D", SHAPE, filter_shape, out,
        DepthMultiplier=multiplier, **options,
    )  # fmt: skip
    check(file)


@pytest.mark.parametrize(
    ("shape", "out", "options"),
    [
        ((1, 20), (1, 7), {"per_channel": False}),
        ((1, 20), (1, 7), {"per_channel": False, "FusedActivationFunction": RELU, "bias": False}),
        ((1, 20), (1, 7), {"per_channel": True}),
        ((3, 20), (3, 7), {"per_channel": False}),
        ((1, 1, 5, 4), (1, 7), {"per_channel": False}),
        ((1, 3, 20), (1, 3, 7), {"per_channel": False, "KeepNumDims": True}),
    ],
)
def test_fully_connected(file, rng, shape, out, options):
    convolution(file, rng, "FULLY_CONNECTED", shape, (7, 20), out, **options)
    check(file)


def test_fully_connected_after_images_keeps_the_files_order(file, rng):
    one_input(file, rng)
    file.constant("w", bytes_of(rng, (3, 120)), scale(rng) / 64)
    pool(file)
    file.tensor("y", (1, 3), scale(rng), zero_point(rng))
    file.op("FULLY_CONNECTED", ["p", "w", ""], ["y"])
    check(file)


@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
@pytest.mark.parametrize(
    ("window", "stride", "padding", "out"),
    [
        ((6, 5), (1, 1), VALID, (1, 1, 1, 4)),
        ((3, 2), (2, 1), SAME, (1, 3, 5, 4)),
        ((2, 3), (2, 2), VALID, (1, 3, 2, 4)),
    ],
)
@pytest.mark.parametrize("activation", [0, RELU, RELU6])
def test_pools(file, rng, kind, window, stride, padding, out, activation):
    one_input(file, rng)
    file.tensor("y", out, *spec(file, "x"))
    file.op(
        kind, ["x"], ["y"],
        FilterHeight=window[0], FilterWidth=window[1], StrideH=stride[0], StrideW=stride[1],
        Padding=padding, FusedActivationFunction=activation,
    )  # fmt: skip
    check(file)


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize(
    ("a", "b"),
    [(SHAPE, SHAPE), (SHAPE, (1, 1, 1, 4)), ((1, 7), (1, 7)), ((1, 1, 5, 4), SHAPE)],
)
@pytest.mark.parametrize("activation", [0, RELU6])
def test_arithmetic(file, rng, kind, a, b, activation):
    file.inputs = [
        file.tensor("a", a, scale(rng), zero_point(rng)),
        file.tensor("b", b, scale(rng), zero_point(rng)),
    ]
    shape = np.broadcast_shapes(a, b)
    file.outputs = [file.tensor("y", shape, scale(rng), zero_point(rng))]
    file.op(kind, ["a", "b"], ["y"], FusedActivationFunction=activation)
    check(file)


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("shape", [(4,), (1, 1, 1, 4), (5, 4), ()])
def test_arithmetic_with_a_constant_on_images(file, rng, kind, shape):
    one_input(file, rng)
    pool(file)
    file.constant("c", bytes_of(rng, shape), scale(rng), zero_point(rng))
    file.tensor("y", SHAPE, scale(rng), zero_point(rng))
    file.op(kind, ["p", "c"], ["y"])
    check(file)


@pytest.mark.parametrize("kind", ["MAXIMUM", "MINIMUM"])
def test_comparisons(file, rng, kind):
    one_input(file, rng)
    file.tensor("y", SHAPE, *spec(file, "x"))
    file.constant("c", bytes_of(rng, (1, 1, 1, 4)), *spec(file, "x"))
    file.op(kind, ["x", "c"], ["y"])
    check(file)


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("LOGISTIC", (1 / 256, -128)),
        ("TANH", (1 / 128, 0)),
        ("HARD_SWISH", None),
        ("RELU", None),
        ("LEAKY_RELU", None),
    ],
)
@pytest.mark.parametrize("wide", [1, 8])
def test_activations(file, rng, kind, result, wide):
    shape = (1, 16, 16, 4)
    file.inputs = [file.tensor("x", shape, scale(rng) * wide, zero_point(rng))]
    own = (scale(rng) * 4, zero_point(rng))
    file.outputs = [file.tensor("y", shape, *(result or own))]
    options = {"Alpha": 0.1} if kind == "LEAKY_RELU" else {}
    file.op(kind, ["x"], ["y"], **options)
    check(file)


@pytest.mark.parametrize("kind", ["RELU", "RELU6"])
def test_relu_within_one_scale_is_a_clip(file, rng, kind):
    one_input(file, rng)
    file.tensor("y", SHAPE, *spec(file, "x"))
    file.op(kind, ["x"], ["y"])
    check(file)


@pytest.mark.parametrize("shape", [(1, 10), (1, 2, 3, 40)])
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_softmax(file, rng, shape, beta):
    file.inputs = [file.tensor("x", shape, scale(rng) * 4, zero_point(rng))]
    file.outputs = [file.tensor("y", shape, 1 / 256, -128)]
    file.op("SOFTMAX", ["x"], ["y"], Beta=beta)
    check(file)


@pytest.mark.parametrize(
    ("axes", "keep", "out"),
    [
        ([1, 2], True, (1, 1, 1, 4)),
        ([1, 2], False, (1, 4)),
        ([2, 1], False, (1, 4)),
        ([-1], True, (1, 6, 5, 1)),
        ([3], False, (1, 6, 5)),
        ([1], False, (1, 5, 4)),
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_mean(file, rng, axes, keep, out, same):
    one_input(file, rng)
    other = (scale(rng), zero_point(rng))
    file.tensor("y", out, *(spec(file, "x") if same else other))
    file.constant("axes", np.array(axes, np.int32))
    file.op("MEAN", ["x", "axes"], ["y"], KeepDims=keep)
    check(file)


MOVES = {
    "reshape": ("RESHAPE", [np.int32([1, 30, 4])], (1, 30, 4), {}),
    "reshape with -1": ("RESHAPE", [np.int32([1, -1])], (1, 120), {}),
    "squeeze": ("SQUEEZE", [], (6, 5, 4), {"SqueezeDims": [0]}),
    "expand": ("EXPAND_DIMS", [np.int32(1)], (1, 1, 6, 5, 4), {}),
    "transpose": ("TRANSPOSE", [np.int32([0, 3, 1, 2])], (1, 4, 6, 5), {}),
    "pad": ("PAD", [np.int32([[0, 0], [1, 2], [0, 3], [1, 0]])], (1, 9, 8, 5), {}),
    "slice": ("SLICE", [np.int32([0, 1, 2, 0]), np.int32([1, 4, -1, 2])], (1, 4, 3, 2), {}),
    "strided": (
        "STRIDED_SLICE",
        [np.int32([0, 1, -4, 0]), np.int32([1, 6, 5, 2]), np.int32([1, 2, 3, 1])],
        (1, 3, 2, 4),
        {"EndMask": 8},
    ),
    "shrink": (
        "STRIDED_SLICE",
        [np.int32([0, 2, 0, 0]), np.int32([1, 3, 5, 4]), np.int32([1, 1, 1, 1])],
        (1, 5, 4),
        {"ShrinkAxisMask": 2},
    ),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("after_pool", [False, True])
def test_moves(file, rng, move, after_pool):
    kind, constants, out, options = MOVES[move]
    one_input(file, rng)
    first = "x"
    if after_pool:
        first = pool(file)
    names = [file.constant(f"c{number}", value) for number, value in enumerate(constants)]
    file.tensor("y", out, *spec(file, "x"))
    file.op(kind, [first, *names], ["y"], **options)
    check(file)


def test_padding_with_a_value(file, rng):
    one_input(file, rng)
    file.constant("pads", np.int32([[0, 0], [1, 1], [2, 0], [0, 0]]))
    file.constant("value", np.int8(17), *spec(file, "x"))
    file.tensor("y", (1, 8, 7, 4), *spec(file, "x"))
    file.op("PADV2", ["x", "pads", "value"], ["y"])
    check(file)


@pytest.mark.parametrize(
    ("axis", "out"), [(3, (1, 6, 5, 8)), (-1, (1, 6, 5, 8)), (1, (1, 12, 5, 4))]
)
def test_concatenation(file, rng, axis, out):
    one_input(file, rng)
    pool(file)
    file.tensor("y", out, *spec(file, "x"))
    file.op("CONCATENATION", ["p", "x"], ["y"], Axis=axis)
    check(file)


@pytest.mark.parametrize(("axis", "part"), [(3, (1, 6, 5, 2)), (1, (1, 3, 5, 4))])
def test_split(file, rng, axis, part):
    one_input(file, rng)
    file.constant("axis", np.int32(axis))
    file.outputs = [file.tensor(name, part, *spec(file, "x")) for name in ("y", "z")]
    file.op("SPLIT", ["axis", "x"], file.outputs, NumSplits=2)
    check(file)


@pytest.mark.parametrize("types", [("FLOAT32", "INT8"), ("INT8", "INT8"), ("UINT8", "INT8")])
def test_quantize(file, rng, types):
    offset = 128 if types[0] == "UINT8" else 0
    meaning = () if types[0] == "FLOAT32" else (scale(rng), zero_point(rng) + offset)
    file.inputs = [file.tensor("x", SHAPE, *meaning, type=types[0])]
    file.outputs = [file.tensor("y", SHAPE, scale(rng), zero_point(rng), type=types[1])]
    file.op("QUANTIZE", ["x"], ["y"])
    check(file)


def test_quantize_rounds_ties_away(file):
    file.inputs = [file.tensor("x", (1, 8), type="FLOAT32")]
    file.outputs = [file.tensor("y", (1, 8), 1.0, 0)]
    file.op("QUANTIZE", ["x"], ["y"])
    x = np.float32([[0.5, 1.5, -0.5, -1.5, 2.5, 1e9, -1e9, 0.49999997]])
    interpreter = runtime.Interpreter.from_bytes(file.data(), arena_size=1 << 16)
    interpreter.set_input(x, 0)
    interpreter.invoke()
    result = execute(integerise(file.source()), {"x": x})["y"]
    np.testing.assert_array_equal(result, interpreter.get_output(0))


def test_dequantize(file, rng):
    one_input(file, rng)
    file.tensor("y", SHAPE, type="FLOAT32")
    file.op("DEQUANTIZE", ["x"], ["y"])
    file.outputs = ["z"]
    file.tensor("q", SHAPE, scale(rng), zero_point(rng))
    file.op("QUANTIZE", ["y"], ["q"])
    file.tensor("z", SHAPE, type="FLOAT32")
    file.op("DEQUANTIZE", ["q"], ["z"])
    check(file)
