"""The target as a whole: what it takes, what it refuses, what it promises."""

import dataclasses

import numpy as np
import pytest

from htvm.api import DType, Offers, PluginError, channels_last, ops, requant, row_major, strided
from htvm_cpu.patterns import PATTERNS
from htvm_cpu.plugin import Cpu

WIDE = {"out": DType.INT32, "lo": -(2**31), "hi": 2**31 - 1}


def reasons(name, layer, chip):
    pattern = next(pattern for pattern in PATTERNS if pattern.name == name)
    return [c.check(layer, chip) for c in pattern.constraints if c.check(layer, chip)]


def shift(out=DType.INT8, **bounds):
    return requant.ShiftRequant(
        out=out,
        lo=bounds.get("lo", -128),
        hi=bounds.get("hi", 127),
        mul=np.array([1]),
        add=np.array([0]),
        shift=np.array([4]),
    )


def test_pattern_names_are_unique():
    names = [pattern.name for pattern in PATTERNS]
    assert len(set(names)) == len(names)


def test_every_op_is_known():
    views = {ops.Transpose, ops.Reshape}
    known = {op for pattern in PATTERNS for op in pattern.root.ops}
    wanted = {
        op
        for module in (ops, requant)
        for op in vars(module).values()
        if isinstance(op, type) and issubclass(op, ops.Op)
    }
    assert wanted - views - {ops.Op, requant.Requant} <= known


def test_accumulators_are_not_handed_on(build, chip):
    make = build()
    sums = [make.input((1, 4), DType.INT32) for _ in range(2)]
    scaled = [make.add(shift(), [x], (1, 4), DType.INT8) for x in sums]
    make.add(ops.Elementwise(function="add"), scaled, (1, 4), DType.INT32)
    assert "requantises an accumulator" in reasons("elementwise", make.layer(), chip())[0]


def test_widening_is_left_to_the_reader(build, chip):
    make = build()
    image = make.input((1, 4))
    weights = make.constant(np.ones((4, 4)), DType.INT8)
    sums = make.add(ops.Dense(), [image, weights], (1, 4), DType.INT32)
    small = make.add(shift(), [sums], (1, 4), DType.INT8)
    make.add(ops.Cast(out=DType.INT32), [small], (1, 4), DType.INT32)
    assert reasons("dense_requant_map", make.layer(), chip()) == ["'node2' turns int8 into int32"]


def test_tail_takes_only_what_is_left(build, chip):
    make = build()
    operands = [make.input((1, 4)), make.input((3, 4))]
    make.add(ops.Dense(), operands, (1, 3), DType.INT32)
    assert reasons("dense", make.layer(), chip()) == ["'input1' is computed"]
    assert reasons("tail", make.layer(), chip()) == []


def test_tail_is_lowered(batch, build, chip):
    make = build()
    operands = [make.input((2, 5)), make.input((3, 5))]
    make.add(ops.Dense(input_zero_point=3), operands, (2, 3), DType.INT32)
    batch.layer(make.layer("tail"), chip=chip())
    batch.check()


def test_other_engines_are_not_answered(build, chip):
    make = build()
    make.add(shift(), [make.input((1, 4), DType.INT32)], (1, 4), DType.INT8)
    layer = dataclasses.replace(make.layer(), engine="diana.digital")
    assert Cpu().htvm_tilings(layer, Offers(inputs=((),)), chip()) is None


def test_unknown_core_is_refused(chip):
    with pytest.raises(PluginError, match="no such core") as caught:
        Cpu().htvm_patterns(chip("z80"))
    assert caught.value.accepted == "generic or ri5cy"


def test_every_offered_layout_can_be_kept(build, chip):
    shape = (1, 4, 5, 6)
    rows = strided("rows", shape, (0, 80, 16, 1), size=320, word_bytes=4, fill=0)
    make = build()
    make.add(ops.Clip(lo=0, hi=9), [make.input(shape)], shape, DType.INT8)
    found = Cpu().htvm_tilings(make.layer(), Offers(inputs=((rows,),), output=(rows,)), chip())
    kept = [tiling for tiling in found if tiling.inputs[0].axes == rows.axes]
    assert any(tiling.output == rows for tiling in kept)
    assert all(tiling.output.fill is None for tiling in kept if tiling.in_place == 0)


def test_in_place(batch, build, chip):
    """A layer that may take over its input's buffer reads each element before writing there."""
    shape = (1, 4, 5, 6)
    make = build()
    make.add(ops.Clip(lo=-3, hi=9), [make.input(shape)], shape, DType.INT8)
    (first, *_) = Cpu().htvm_tilings(make.layer(), Offers(inputs=((),)), chip())
    assert first.in_place == 0
    assert first.inputs[0] == first.output == channels_last(shape)


def test_a_wider_result_is_not_in_place(build, chip):
    make = build()
    make.add(ops.Cast(out=DType.INT32), [make.input((1, 8))], (1, 8), DType.INT32)
    (tiling,) = Cpu().htvm_tilings(make.layer(), Offers(inputs=((),)), chip())
    assert tiling.in_place is None
    assert tiling.output == row_major((1, 8))


def test_code_does_not_change_between_runs(build, chip):
    make = build()
    x = make.input((1, 3, 6, 6))
    w = make.constant(np.arange(54).reshape(2, 3, 3, 3), DType.INT8)
    y = make.add(ops.Conv2d(), [x, w], (1, 2, 4, 4), DType.INT32)
    make.add(shift(), [y], (1, 2, 4, 4), DType.INT8)
    layer = make.layer()
    tiling = Cpu().htvm_tilings(layer, Offers(inputs=((),)), chip())[0]
    codes = {Cpu().htvm_emit(layer, tiling, (), None, chip()) for _ in range(2)}
    assert len(codes) == 1


def test_cost_counts_the_core_it_knows(build, chip):
    """The fixed figure is the model's own; a change of the model shows here."""
    make = build()
    x = make.input((1, 16, 16, 16))
    w = make.constant(np.ones((16, 16, 3, 3)), DType.INT8)
    op = ops.Conv2d(pad=(1, 1, 1, 1))
    y = make.add(op, [x, w], (1, 16, 16, 16), DType.INT32)
    make.add(shift(), [y], (1, 16, 16, 16), DType.INT8)
    (tiling,) = Cpu().htvm_tilings(make.layer(), Offers(inputs=((),)), chip("ri5cy"))
    macs = 16 * 16 * 16 * 16 * 9
    assert 2.9 < tiling.cost.total / macs < 3.4
