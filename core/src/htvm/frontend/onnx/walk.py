"""Runs the source graph on what is known of its tensors, node by node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from htvm.frontend import refuse
from htvm.frontend.onnx.build import Builder
from htvm.frontend.onnx.call import Call, Rule
from htvm.frontend.onnx.fold import fold
from htvm.frontend.onnx.model import Model, OnnxNode
from htvm.frontend.onnx.realise import as_float
from htvm.frontend.onnx.values import Known, Stored, Value
from htvm.ir import ops
from htvm.ir.dtype import DType


@dataclass(frozen=True, kw_only=True, eq=False)
class Walk:
    """What a walk left behind.

    Attributes:
        builder: The integer graph.
        output: What is known of the network's output.
        last: The node that wrote it, to build what it still promises.
    """

    builder: Builder
    output: Value
    last: Call


def walk(model: Model, rules: Mapping[str, Rule], inputs: Mapping[str, Value]) -> Walk:
    """Read every node by its rule.

    Args:
        model: The source.
        rules: By op.
        inputs: What the network's inputs are.

    Raises:
        UnsupportedModelError: no rule, or a rule that cannot take its node.
    """
    names = [name for node in model.nodes for name in (node.name, *node.outputs)]
    builder = Builder([*names, *model.constants, *inputs])
    known: dict[str, Value] = dict(inputs)
    for port in model.inputs:
        value = inputs[port.name]
        dtype = value.dtype if isinstance(value, Stored) else DType.FLOAT32
        builder.input(port.name, port.shape, dtype)
    for name, array in model.constants.items():
        known[name] = Known(shape=array.shape, name=name, array=array)
    writers: dict[str, Call] = {}
    for node in model.nodes:
        call = _call(model, builder, node, known)
        for name, value in zip(node.outputs, _read(call, rules), strict=False):
            known[name] = value
            writers[name] = call
    output = known.get(model.output)
    if output is None or model.output not in writers:
        seen = f"output {model.output!r} is computed by no node"
        raise refuse.malformed(model.path, seen, "an output that a node computes")
    return Walk(builder=builder, output=output, last=writers[model.output])


def _call(model: Model, builder: Builder, node: OnnxNode, known: Mapping[str, Value]) -> Call:
    values = tuple(known.get(name) if name else None for name in node.inputs)
    for name, value in zip(node.inputs, values, strict=True):
        if name and value is None:
            seen = f"{name!r}, an extra output of an earlier node"
            raise refuse.unsupported_use(node.name, node.op, seen, "main outputs only")
    return Call(node=node, values=values, builder=builder, model=model)


def _read(call: Call, rules: Mapping[str, Rule]) -> tuple[Value, ...]:
    try:
        folded = fold(call)
        if folded is not None:
            return (folded,)
        rule = rules.get(call.node.op)
        if rule is None:
            raise refuse.unsupported_op(call.name, call.node.op, ", ".join(sorted(rules)))
        result = rule(call)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # Operands no valid file has can fail anywhere: whatever broke, the file is to blame.
        seen = f"node {call.name!r} ({call.node.op}) makes no sense: {error}"
        raise refuse.malformed(call.model.path, seen, "nodes as ONNX defines them") from error
    return (result,) if isinstance(result, Value) else tuple(result)


def float_output(done: Walk) -> str:
    """The tensor of the output, computed in float32 if it is still promised.

    Raises:
        UnsupportedModelError: it is a constant, or has no such form.
    """
    value = done.output
    if isinstance(value, Known):
        raise done.last.refuse(f"output {value.name!r} is a constant", "a computed output")
    if isinstance(value, Stored) and value.dtype != DType.FLOAT32:
        return value.tensor
    return as_float(done.last, value)


def name_output(done: Walk, tensor: str, wanted: str) -> str:
    """Give the network's output the source's name of it."""
    builder = done.builder
    if tensor == wanted:
        return tensor
    if builder.has(wanted):
        builder.rename(wanted, builder.fresh_tensor(f"{wanted}_acc"))
    if not builder.is_input(tensor):
        builder.rename(tensor, wanted)
        return wanted
    held = builder.tensor(tensor)
    return builder.node(
        ops.Reshape(shape=held.shape),
        (tensor,),
        name=done.last.name,
        output=wanted,
        shape=held.shape,
        dtype=held.dtype,
        sources=(done.last.name,),
        quantization=held.quantization,
    )
