"""The public face of htvm for target plug-ins: everything they may import, and nothing else."""

from htvm.codegen.program import emit_program, local_address, struct_call, transfer_call
from htvm.codegen.roll import Call
from htvm.emulation.driver import Driver
from htvm.emulation.support import emulation_support, hardware_header
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
from htvm.ir.layout import (
    Axis,
    Layout,
    channel_blocks,
    channels_first,
    channels_last,
    row_major,
    strided,
)
from htvm.ir.tensor import Array, Quantization, Tensor, constant
from htvm.plugins.deprecation import HtvmDeprecation
from htvm.schedule.timeline import timeline
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
from htvm.target.runner import Runner
from htvm.target.source import Constant, LayerCode, Runtime
from htvm.target.toml import load_hardware
from htvm.target.window import Reach, Window, window, window_constraint
from htvm.tiling.engine import ProgramTiling, ScratchpadEngine
from htvm.tiling.grid import Grid, Ranges, cheapest, grids, tile_label
from htvm.tiling.pipeline import (
    Queues,
    Work,
    box_cycles,
    pipelined,
    scratchpad_bytes,
    span_bytes,
    span_runs,
)
from htvm.tiling.runs import RunEngine, run_tilings
from htvm.tiling.slab import slab
from htvm.tiling.windows import WindowEngine, WindowTile, window_tilings
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
    "Driver",
    "Engine",
    "Folded",
    "Graph",
    "Grid",
    "Hardware",
    "HtvmDeprecation",
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
    "ProgramTiling",
    "Quantization",
    "Queues",
    "Ranges",
    "Reach",
    "Rejection",
    "RunEngine",
    "Runner",
    "Runtime",
    "ScratchpadEngine",
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
    "Window",
    "WindowEngine",
    "WindowTile",
    "Work",
    "box_cycles",
    "channel_blocks",
    "channels_first",
    "channels_last",
    "cheapest",
    "constant",
    "contract_constraints",
    "emit_program",
    "emulation_support",
    "fold",
    "folded",
    "grids",
    "hardware_header",
    "hookimpl",
    "load_hardware",
    "local_address",
    "lower_tail",
    "ops",
    "pipelined",
    "requant",
    "row_major",
    "run_tilings",
    "scratchpad_bytes",
    "slab",
    "span_bytes",
    "span_runs",
    "strided",
    "struct_call",
    "tile_label",
    "timeline",
    "transfer_call",
    "window",
    "window_constraint",
    "window_tilings",
]
