"""Pools, and ops that move elements, of whole numbers."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from htvm.frontend.onnx.call import Call, Rule
from htvm.frontend.onnx.carried_linear import as_codes, ratio
from htvm.frontend.onnx.carried_values import Whole, as_whole
from htvm.frontend.onnx.values import Known, Scaled, Value


def on_whole(rule: Rule) -> Rule:
    """A rule of quantised networks for whole numbers, which it does not change."""

    def read(call: Call) -> list[Value]:
        values = tuple(
            value if value is None or isinstance(value, Known) else as_whole(call, value)
            for value in call.values
        )
        result = rule(replace(call, values=values))
        wholes = [value for value in values if isinstance(value, Whole)]
        least, most = min(w.least for w in wholes), max(w.most for w in wholes)
        ranged: list[Value] = []
        for item in [result] if isinstance(result, Value) else result:
            if not isinstance(item, Whole):
                raise call.refuse("inputs of different types", "inputs of one integer type")
            # A Pad may have brought in zeros.
            ranged.append(replace(item, least=min(least, 0), most=max(most, 0)))
        return ranged

    return read


def average(rule: Rule) -> Rule:
    """A pool or reduction of whole numbers as an exact quotient."""

    def read(call: Call) -> Value:
        x = as_whole(call, call.value(0))
        pooled = rule(replace(call, values=(as_codes(call, x), *call.values[1:])))
        if not isinstance(pooled, Scaled):
            raise call.refuse("windows of different sizes", "count_include_pad 1, or no padding")
        count = max(pooled.count, prod(x.shape) // prod(pooled.shape))
        least, most = min(0, x.least * count), max(0, x.most * count)
        bounds = np.array([least], np.int64), np.array([most], np.int64)
        return ratio(pooled, *bounds, divisor=pooled.count)

    return read
