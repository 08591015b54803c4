"""Nodes of the integer graph to the statements of one C function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from htvm.ir.graph import Node
from htvm.ir.tensor import Tensor
from htvm.target.source import Constant
from htvm.tvm.definitions.builder import Builder
from htvm.tvm.definitions.registry import define
from htvm.tvm.load import IRModule, te
from htvm.tvm.passes import flatten
from htvm.tvm.printer import Body, print_body
from htvm.tvm.schedule import schedule

Lowering = Literal["scheduled", "default"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Function:
    """A lowered function.

    Attributes:
        body: Its statements, on ``in0``, ``in1``, .., ``out``, ``scratch`` and the constants.
        constants: Arrays it reads besides its inputs.
    """

    body: Body
    constants: tuple[Constant, ...]


def lower(
    nodes: Sequence[Node],
    tensors: Mapping[str, Tensor],
    inputs: Sequence[str],
    lowering: Lowering = "scheduled",
) -> Function:
    """Lower nodes that end in one visible tensor, the last node's.

    Args:
        nodes: In execution order.
        tensors: Every tensor the nodes touch, in row-major order in memory.
        inputs: Names of the computed tensors read from outside; they arrive as ``in0``, ``in1``, ..
        lowering: ``"scheduled"`` for our fixed schedule, ``"default"`` for TVM's own loops, one
            nest and one whole array per stage.
    """
    builder = Builder(tensors, inputs)
    result = define(builder, nodes)
    buffers = [*builder.input_buffers, result, *builder.constant_buffers]
    function = te.create_prim_func(buffers).with_attr("tirx.noalias", True)
    module = IRModule({"main": function})
    flat = flatten(schedule(module) if lowering == "scheduled" else module)
    constants = tuple(builder.constants)
    names = (
        *(f"in{number}" for number in range(len(inputs))),
        "out",
        *(constant.name for constant in constants),
    )
    return Function(body=print_body(flat["main"], names), constants=constants)
