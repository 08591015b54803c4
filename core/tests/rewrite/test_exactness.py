"""Rewriting drawn networks for engines that are nothing like each other changes no number."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zoo import chip

from htvm.ir.dtype import DType
from htvm.numerics import execute
from htvm.plugins.session import open_session
from htvm.rewrite.stage import rewrite

SHIFT_ONLY = """
input_types = ["int8"]
clips = [[-128, 127], [0, 127]]
"""
MULTIPLYING = """
input_types = ["uint8"]
output_types = ["uint8", "int8", "int32"]
multiplier = "channel"
multiplier_bits = [8, 16, 32]
shift = "channel"
clips = [[0, 255], [-128, 127]]
pad_value = "any"
"""
ROUNDING = """
input_types = ["int8", "uint8"]
weight_types = ["int8", "uint8"]
output_types = ["int8", "uint8"]
zero_points = true
rounding = "half-up"
multiplier = "tensor"
multiplier_bits = [-16]
product_bits = 48
"""
CASES = {
    "shift only": (SHIFT_ONLY, 250),
    "multiplying": (MULTIPLYING, 200),
    "rounding": (ROUNDING, 150),
}


@pytest.mark.parametrize(("contract", "examples"), CASES.values(), ids=CASES)
def test_every_tensor_holds_what_it_held(drawn_networks, contract, examples):
    session = open_session(chip(contract))
    seen = {"networks": 0, "changed": 0, "layers": 0}

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.data())
    def check(data):
        graph, inputs = data.draw(drawn_networks((DType.INT8, DType.UINT8)))
        rewritten = rewrite(graph, session)
        before, after = execute(graph, inputs), execute(rewritten.graph, inputs)
        for name in before.keys() & after.keys():
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)
        assert set(graph.outputs) <= after.keys()
        assert len({node.name for node in rewritten.graph.nodes}) == len(rewritten.graph.nodes)
        for tensor in rewritten.graph.tensors.values():
            if tensor.bounds is not None and tensor.name in after:
                lo, hi = tensor.bounds
                assert lo <= after[tensor.name].min() <= after[tensor.name].max() <= hi
        seen["networks"] += 1
        seen["changed"] += rewritten.changes > 0
        seen["layers"] += rewritten.changes

    check()
    assert seen["networks"] >= examples
    assert seen["changed"] >= examples // 4, seen
