"""The public face of htvm for target plug-ins: everything they may import, and nothing else."""

from htvm.codegen.program import emit_program, local_address, struct_call
from htvm.codegen.roll import Call
from htvm.errors import (
    DoesNotFitError,
    HtvmError,
    InternalError,
    MismatchError,
    PluginError,
    ToolError,
    UnsupportedModelError,
    UsageError,
)
from htvm.hookspecs import hookimpl
from htvm.ir import ops, requant
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.layout import Axis, Layout, channels_last, row_major, strided
from htvm.ir.tensor import Array, Quantization, Tensor, constant
from htvm.target.base import API_VERSION, Target
from htvm.target.check import Check
from htvm.target.conform import contract_constraints, folded
from htvm.target.contract import Contract
from htvm.target.folding import Folded, Unfoldable, fold
from htvm.target.hardware import Engine, Hardware, Memory
from htvm.target.layer import Cost, Layer, Offers, Tiling
from htvm.target.pattern import (
    ANY,
    COMPUTED,
    CONSTANT,
    Constraint,
    Pattern,
    Rejection,
    Template,
)
from htvm.target.program import Buffer, Launch, Program, Span, Step, Tile, Transfer, Wait
from htvm.target.source import Constant, LayerCode, Runtime
from htvm.target.toml import load_hardware
from htvm.tvm.tail import TailCode, lower_tail

__all__ = [
    "ANY",
    "API_VERSION",
    "COMPUTED",
    "CONSTANT",
    "Array",
    "Axis",
    "Buffer",
    "Call",
    "Check",
    "Constant",
    "Constraint",
    "Contract",
    "Cost",
    "DType",
    "DoesNotFitError",
    "Engine",
    "Folded",
    "Graph",
    "Hardware",
    "HtvmError",
    "InternalError",
    "Launch",
    "Layer",
    "LayerCode",
    "Layout",
    "Memory",
    "MismatchError",
    "Node",
    "Offers",
    "Origin",
    "Pattern",
    "PluginError",
    "Program",
    "Quantization",
    "Rejection",
    "Runtime",
    "Span",
    "Step",
    "TailCode",
    "Target",
    "Template",
    "Tensor",
    "Tile",
    "Tiling",
    "ToolError",
    "Transfer",
    "Unfoldable",
    "UnsupportedModelError",
    "UsageError",
    "Wait",
    "channels_last",
    "constant",
    "contract_constraints",
    "emit_program",
    "fold",
    "folded",
    "hookimpl",
    "load_hardware",
    "local_address",
    "lower_tail",
    "ops",
    "requant",
    "row_major",
    "strided",
    "struct_call",
]
