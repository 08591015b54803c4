"""Integer networks carried in floats: quantlib, NEMO and Quantlab.

Convolutions of whole numbers, then Mul and Add by constants, Div by a power of two, Floor and
Clip, in the order the exporter has. Averages are exact quotients until Floor. Attributes some of
these tools hang on standard nodes (``in1_mul``, ``weight_bits``) say nothing the nodes do not, and
are not looked at.

An input declared as float is int8, unless the metadata property ``input_type`` says ``uint8`` or
``float32``, or it is clipped at once to a range that only uint8 holds. Real numbers are what the
first layers take where these are left in float.
"""

from __future__ import annotations

import numpy as np

from htvm.frontend import refuse
from htvm.frontend.onnx import moving, pooling
from htvm.frontend.onnx.call import Rule
from htvm.frontend.onnx.carried_arithmetic import affine, cast, clip, floor_
from htvm.frontend.onnx.carried_islands import is_whole, with_islands
from htvm.frontend.onnx.carried_linear import conv, gemm, matmul
from htvm.frontend.onnx.carried_moves import average, on_whole
from htvm.frontend.onnx.carried_values import Whole, as_whole
from htvm.frontend.onnx.model import Model
from htvm.frontend.onnx.rules import RULES
from htvm.frontend.onnx.values import Stored, Value
from htvm.frontend.onnx.walk import Walk, float_output
from htvm.ir.dtype import DType
from htvm.ir.tensor import Quantization

_INTEGERS = {"int8": DType.INT8, "uint8": DType.UINT8}


def carried_inputs(model: Model) -> dict[str, Value]:
    """The network's inputs as integers, or as real numbers where the file says so."""
    values: dict[str, Value] = {}
    for port in model.inputs:
        if port.dtype == model.metadata.get("input_type") == "float32":
            values[port.name] = Stored(
                shape=port.shape, name=port.name, tensor=port.name, dtype=DType.FLOAT32
            )
            continue
        dtype = _input_type(model, port.name, port.dtype)
        least, most = dtype.bounds
        values[port.name] = Whole(
            shape=port.shape, name=port.name, tensor=port.name, dtype=dtype, least=least, most=most
        )
    return values


def carried_output(done: Walk) -> str:
    """The tensor of the network's output, its scale and the inputs' noted from the metadata."""
    whole = is_whole(done.output)
    tensor = as_whole(done.last, done.output).tensor if whole else float_output(done)
    model = done.last.model
    ends = [(port.name, "input_scale") for port in model.inputs]
    for name, key in [*ends, *([(tensor, "output_scale")] if whole else [])]:
        text = model.metadata.get(key)
        if text is not None:
            zero = _zero_point(model.metadata.get(f"{key.removesuffix('scale')}zero_point", "0"))
            meaning = Quantization(scale=(_scale(key, text),), zero_point=zero)
            done.builder.annotate(name, meaning)
    return tensor


def _input_type(model: Model, name: str, declared: str) -> DType:
    if declared in _INTEGERS:
        return _INTEGERS[declared]
    if declared not in {"float32", "float64"}:
        accepted = "float32, int8 or uint8"
        raise refuse.unsupported_use(name, "input", f"type {declared}", accepted)
    given = model.metadata.get("input_type", "")
    if given in _INTEGERS:
        return _INTEGERS[given]
    return DType.UINT8 if _clipped_to_unsigned(model, name) else DType.INT8


def _clipped_to_unsigned(model: Model, name: str) -> bool:
    readers = [node for node in model.nodes if name in node.inputs]
    if len(readers) != 1 or readers[0].op != "Clip":
        return False
    node = readers[0]
    limits = [model.constants.get(item) for item in node.inputs[1:3]]
    lo = node.attributes.get("min", limits[0] if limits else None)
    hi = node.attributes.get("max", limits[1] if len(limits) > 1 else None)
    if lo is None or hi is None or isinstance(lo, str | tuple) or isinstance(hi, str | tuple):
        return False
    return bool(np.all(np.asarray(lo) >= 0) and np.all(np.asarray(hi) > 127))


def _zero_point(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise refuse.bad_number("metadata of a zero point", repr(text), "an integer") from error


def _scale(key: str, text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not np.isfinite(scale) or scale <= 0:
        raise refuse.bad_number(f"metadata {key!r}", repr(text), "a finite number above 0")
    return scale


_VIEWS: dict[str, Rule] = {
    "Dropout": moving.identity,
    "Flatten": moving.flatten,
    "Identity": moving.identity,
    "Reshape": moving.reshape_,
    "Squeeze": moving.squeeze,
    "Transpose": moving.transpose_,
    "Unsqueeze": moving.unsqueeze,
}

_MOVES: dict[str, Rule] = {
    "Concat": moving.concat,
    "Gather": moving.gather,
    "GlobalMaxPool": pooling.global_max_pool,
    "MaxPool": pooling.max_pool,
    "Pad": moving.pad,
    "ReduceMax": pooling.reduce_max,
    "Slice": moving.slice_,
    "Split": moving.split,
}

_SUMS: dict[str, Rule] = {
    "AveragePool": pooling.average_pool,
    "GlobalAveragePool": pooling.global_average_pool,
    "ReduceMean": pooling.reduce_mean,
    "ReduceSum": pooling.reduce_sum,
}

CARRIED: dict[str, Rule] = {
    **_VIEWS,
    **{name: on_whole(rule) for name, rule in _MOVES.items()},
    **{name: average(rule) for name, rule in _SUMS.items()},
    **dict.fromkeys(("Add", "Div", "Mul", "Sub"), affine),
    "Cast": cast,
    "Clip": clip,
    "Conv": conv,
    "Floor": floor_,
    "Gemm": gemm,
    "MatMul": matmul,
    "Relu": clip,
}

CARRIED_WITH_ISLANDS = with_islands(CARRIED, RULES)
