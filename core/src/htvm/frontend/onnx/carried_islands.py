"""Float layers among whole numbers carried in floats.

A DequantizeLinear of whole numbers is where floats begin, a QuantizeLinear is where they end;
between the two the rules of quantised networks hold. ONNX wants integer types at both, hence a
Cast on the outer side of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from htvm.frontend import refuse
from htvm.frontend.onnx import quantisers
from htvm.frontend.onnx.call import Call, Rule
from htvm.frontend.onnx.carried_values import Ratio, Whole, as_whole
from htvm.frontend.onnx.model import Model
from htvm.frontend.onnx.values import Known, Stored, Value
from htvm.ir.dtype import DType


def has_islands(model: Model) -> bool:
    """Whether whole numbers carried in floats enter or leave a quantisation."""
    writers = {name: node.op for node in model.nodes for name in node.outputs}
    steps = {(writers.get(node.inputs[0]), node.op) for node in model.nodes if node.inputs}
    return bool(steps & {("Cast", "DequantizeLinear"), ("QuantizeLinear", "Cast")})


def with_islands(whole: Mapping[str, Rule], real: Mapping[str, Rule]) -> dict[str, Rule]:
    """Rules for both kinds of values.

    Args:
        whole: Rules for whole numbers carried in floats.
        real: Rules for what is, or stands for, real numbers.
    """
    entering = {**whole, "DequantizeLinear": _enter}
    return {op: _either(entering.get(op), real.get(op)) for op in {**entering, **real}}


def is_whole(value: Value) -> bool:
    """Whether a computed value is made of whole numbers carried in floats."""
    return isinstance(value, Whole | Ratio)


def _either(whole: Rule | None, real: Rule | None) -> Rule:
    def read(call: Call) -> list[Value]:
        computed = [v for v in call.values if v is not None and not isinstance(v, Known)]
        wholes = [v for v in computed if is_whole(v)]
        is_real = len(wholes) < len(computed)
        rule = real if is_real else whole
        if wholes and is_real:
            seen = f"{wholes[0].name!r} holds whole numbers, another operand real ones"
            raise call.refuse(seen, "operands of one kind: Cast and DequantizeLinear this one")
        if rule is None:
            kind = "whole numbers" if wholes else "real numbers"
            raise refuse.unsupported_op(call.name, call.node.op, f"another op for {kind}")
        result = rule(call)
        return [_left(v) for v in ([result] if isinstance(result, Value) else result)]

    return read


def _enter(call: Call) -> Value:
    """DequantizeLinear of whole numbers, which are stored as integers already."""
    value = call.value(0)
    if isinstance(value, Known):
        return quantisers.dequantize(call)
    return quantisers.dequantize(replace(call, values=(as_whole(call, value), *call.values[1:])))


def _left(value: Value) -> Value:
    """What a QuantizeLinear gives is whole from there on."""
    if not isinstance(value, Stored) or is_whole(value) or value.dtype is DType.FLOAT32:
        return value
    least, most = value.dtype.bounds
    return Whole(
        shape=value.shape,
        node=value.node,
        name=value.name,
        sources=value.sources,
        tensor=value.tensor,
        dtype=value.dtype,
        least=least,
        most=most,
    )
