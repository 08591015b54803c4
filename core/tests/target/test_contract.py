"""Contracts of engines that are nothing like each other, and what their constraints accept."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from htvm.errors import PluginError
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.requant import FloatRequant, ShiftRequant, TfliteRequant
from htvm.ir.tensor import Tensor, constant
from htvm.partition.stage import match
from htvm.target.conform import contract_constraints
from htvm.target.pattern import COMPUTED, CONSTANT, Pattern, Template
from htvm.target.toml import load_hardware

CHIP = """
schema = 1
name = "zoo"
description = "engines of every kind"
clock_hz = 1_000_000
main_memory = "ram"
stack_bytes = 1024
[memory.ram]
size_bytes = 1024
[engine.cpu]
[[engine.ne16.contract]]
ops = ["conv2d", "depthwise"]
input_types = ["uint8"]
multiplier = "channel"
multiplier_bits = [8, 16, 32]
shift = "channel"
output_types = ["uint8", "int8", "int32"]
pad_value = "any"
clips = [[0, 255], [-128, 127]]
[[engine.cluster.contract]]
ops = ["conv2d", "depthwise", "dense"]
input_types = ["int8", "uint8"]
weight_types = ["int8", "uint8"]
weight_range = [-128, 255]
zero_points = true
bias_bits = 64
product_bits = 64
multiplier = "channel"
multiplier_bits = [-32]
shift = "channel"
shift_range = [0, 63]
rounding = "any"
output_types = ["int8", "uint8", "int32"]
pad_value = "any"
modes = ["shift", "mulshift31", "tflite", "f32", "f32_emul"]
[[engine.analog.contract]]
ops = ["conv2d"]
input_types = ["int8"]
input_range = [-64, 63]
weight_range = [-1, 1]
adc_range = [-32, 31]
bias_bits = 16
multiplier = "channel"
multiplier_bits = [-16]
clips = [[-128, 127], [0, 127]]
"""
HARDWARE = load_hardware(CHIP)
RAW = Template(ops=(ops.Conv2d,), inputs=(COMPUTED, CONSTANT))
ONCE = Template(ops=(ShiftRequant, FloatRequant, TfliteRequant), inputs=(RAW,))
TWICE = Template(ops=(ShiftRequant,), inputs=(ONCE,))
I8, U8, I32 = DType.INT8, DType.UINT8, DType.INT32


def shift(by, *, mul=1, add=0, lo=-128, hi=127, out=I8):
    mul, add, by = (np.atleast_1d(np.array(values, np.int64)) for values in (mul, add, by))
    axis = 1 if max(mul.size, add.size, by.size) > 1 else None
    return ShiftRequant(out=out, lo=lo, hi=hi, axis=axis, mul=mul, add=add, shift=by)


def unsigned(by, **changes):
    return shift(by, **{"lo": 0, "hi": 255, "out": U8, **changes})


def network(
    *requants, x=U8, bounds=None, weights=None, bias=None, pad=0, zero=0, weight_zero=0, kernel=3
):
    """One 3x3 convolution of 4 channels to 2, with what requantises it."""
    drawn = np.random.default_rng(0).integers(-128, 128, (2, 4, kernel, kernel))
    tensors = [
        Tensor(name="x", shape=(1, 4, 6, 6), dtype=x, bounds=bounds),
        constant("w", drawn if weights is None else np.full_like(drawn, weights), I8),
    ]
    inputs = ("x", "w")
    if bias is not None:
        tensors.append(constant("b", [bias, bias], I32))
        inputs += ("b",)
    conv = ops.Conv2d(pad=(pad,) * 4, input_zero_point=zero, weight_zero_point=weight_zero)
    size = 6 + 2 * pad - kernel + 1
    nodes = [Node(name="conv", op=conv, inputs=inputs, output="t0")]
    tensors.append(Tensor(name="t0", shape=(1, 2, size, size), dtype=I32))
    for number, op in enumerate(requants, 1):
        nodes.append(
            Node(name=f"q{number}", op=op, inputs=(f"t{number - 1}",), output=f"t{number}")
        )
        tensors.append(Tensor(name=f"t{number}", shape=(1, 2, size, size), dtype=op.out))
    return Graph(
        name="one",
        inputs=("x",),
        outputs=(nodes[-1].output,),
        nodes=tuple(nodes),
        tensors={tensor.name: tensor for tensor in tensors},
        origin=Origin(path="", format="built"),
    )


def verdict(engine, graph):
    """None if a pattern held to the engine's contract takes the whole graph, else the reason."""
    root = (RAW, ONCE, TWICE)[len(graph.nodes) - 1]
    constraints = contract_constraints(HARDWARE.engines[engine].contract("conv2d"))
    pattern = Pattern(name="p", engine=engine, root=root, constraints=constraints)
    session = SimpleNamespace(patterns=lambda: (pattern,), hardware=HARDWARE)
    found = match(graph, session)
    whole = [layer for layer in found.layers if len(layer.nodes) == len(graph.nodes)]
    return None if whole else found.rejections[0].reason


FLOAT = FloatRequant(out=I8, lo=-128, hi=127, scale=np.array([0.01], np.float32), zero_point=3)
TFLITE = TfliteRequant(
    out=I8,
    lo=-128,
    hi=127,
    mul=np.array([2**30], np.int64),
    exponent=np.array([-7], np.int64),
    zero_point=-128,
)
CONVERTER = shift(3, lo=-32, hi=31)

ACCEPTED = {
    "ne16 with an 8-bit multiplier": ("ne16", network(unsigned(8, mul=200, add=77), bias=5)),
    "ne16 with a wide one": ("ne16", network(unsigned(20, mul=9000), weights=1)),
    "ne16 by channel": ("ne16", network(shift((8, 9), mul=(3, 255)))),
    "ne16's raw accumulator": ("ne16", network()),
    "ne16 padded with a zero point": ("ne16", network(unsigned(9), pad=1, zero=128)),
    "cluster in floats": ("cluster", network(FLOAT, zero=7, weight_zero=3, pad=1)),
    "cluster as tflite": ("cluster", network(TFLITE, x=I8, zero=-128, pad=1)),
    "cluster, negative multiplier": ("cluster", network(shift(40, mul=-(2**30)))),
    "cluster's raw accumulator": ("cluster", network(x=I8)),
    "analog": (
        "analog",
        network(CONVERTER, shift(9, mul=-700, add=55), x=I8, bounds=(-64, 63), weights=-1),
    ),
    "analog with a relu": (
        "analog",
        network(CONVERTER, shift(9, mul=300, lo=0), x=I8, bounds=(0, 63), weights=1),
    ),
}

REFUSED = {
    "ne16 reads no int8": ("ne16", network(unsigned(8), x=I8), "x is int8"),
    "ne16's multiplier is unsigned": (
        "ne16",
        network(unsigned(8, mul=-3)),
        "unsigned of 8, 16 or 32 bits, with an int32 bias that provably never wraps and shifts of "
        "0 to 31 by channel: multiplier -3, shift 8",
    ),
    "ne16's product wraps": (
        "ne16",
        network(unsigned(31, mul=2**20)),
        "weights and bias can leave int32: channel 0 reaches -",
    ),
    "ne16's bias wraps": ("ne16", network(unsigned(31, add=2**31)), "the bias can leave int32"),
    "ne16's shift": ("ne16", network(unsigned(33, mul=3), weights=1), "multiplier 3, shift 33"),
    "ne16 does not round in floats": ("ne16", network(FLOAT), "the network asks for f32"),
    "ne16 clips to whole bytes": ("ne16", network(unsigned(8, hi=200)), "clip is 0..200"),
    "ne16's weights have no zero point": (
        "ne16",
        network(unsigned(8), weight_zero=1),
        "input zero point 0, weight zero point 1",
    ),
    "the cluster keeps to its types": (
        "cluster",
        network(unsigned(8, out=DType.INT16)),
        "is int16",
    ),
    "analog inputs have 7 bits": (
        "analog",
        network(CONVERTER, shift(9), x=I8, weights=1),
        "inputs stay within -64..63: x takes -128..127",
    ),
    "analog weights are ternary": (
        "analog",
        network(CONVERTER, shift(9), x=I8, bounds=(-64, 63)),
        "weights stay within -1..1: weights reach -1",
    ),
    "analog accumulators are converted": (
        "analog",
        network(shift(9), x=I8, bounds=(-64, 63), weights=1),
        "there is no converter step",
    ),
    "the converter has 6 bits": (
        "analog",
        network(shift(3), shift(9), x=I8, bounds=(-64, 63), weights=1),
        "the converter step clips to -128..127",
    ),
    "the converter adds nothing": (
        "analog",
        network(shift(3, add=4, lo=-32, hi=31), shift(9), x=I8, bounds=(-64, 63), weights=1),
        "not one power of two without an addend",
    ),
    "nothing comes before the converter": (
        "analog",
        network(CONVERTER, shift(9), x=I8, bounds=(-64, 63), weights=1, bias=1),
        "a bias is added before the converter",
    ),
    "analog addends have 16 bits": (
        "analog",
        network(CONVERTER, shift(9, add=2**15), x=I8, bounds=(-64, 63), weights=1),
        "the bias can leave int16: channel 0 reaches 32768",
    ),
    "an array gives no accumulators": ("analog", network(x=I8), "int8: t0 is int32"),
}


@pytest.mark.parametrize(("engine", "graph"), ACCEPTED.values(), ids=ACCEPTED)
def test_accepts(engine, graph):
    assert verdict(engine, graph) is None


@pytest.mark.parametrize(("engine", "graph", "reason"), REFUSED.values(), ids=REFUSED)
def test_refuses_with_the_reason(engine, graph, reason):
    assert reason in verdict(engine, graph)


def test_constraints_say_what_the_contract_says():
    texts = [
        constraint.text
        for constraint in contract_constraints(HARDWARE.engines["analog"].contract("conv2d"))
    ]
    assert "weights stay within -1..1" in texts
    assert "inputs stay within -64..63" in texts
    assert any("clips to -32..31" in text for text in texts)


def test_an_engine_without_the_contract_says_which_it_has():
    with pytest.raises(PluginError, match="no contract for 'dense'") as caught:
        HARDWARE.engines["analog"].contract("dense")
    assert caught.value.seen == "conv2d"


FAULTS = """
[[engine.bad.contract]]
ops = []
input_types = ["int9"]
rounding = "stochastic"
[[engine.worse.contract]]
ops = ["conv2d"]
input_types = ["int8"]
weight_range = [7, -8]
multiplier = "channel"
speed = 3
"""


def test_every_fault_of_a_contract_is_told_at_once():
    with pytest.raises(PluginError) as caught:
        load_hardware(CHIP + FAULTS)
    for part in ("bad.contract.0.ops", "input_types.0", "rounding", "worse.contract.0.speed"):
        assert part in caught.value.seen


def test_a_contract_must_make_sense():
    with pytest.raises(PluginError) as caught:
        load_hardware(CHIP + FAULTS[FAULTS.index("[[engine.worse") :].replace("speed = 3", ""))
    assert "weight_range (7, -8) is empty" in caught.value.seen
    assert "multiplier needs them" in caught.value.seen
