"""From a TFLite file to the integer graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from htvm.frontend import refuse
from htvm.frontend.source import Source
from htvm.frontend.tflite import (
    activation,
    arithmetic,
    convolution,
    pooling,
    quantising,
    reduction,
    shaping,
    slicing,
)
from htvm.frontend.tflite.call import Call
from htvm.frontend.tflite.decode import decode
from htvm.frontend.tflite.floating import FLOAT_RULES
from htvm.frontend.tflite.model import FileModel, FileTensor
from htvm.frontend.tflite.scope import Scope
from htvm.ir.graph import Graph

_RULES: Mapping[str, Callable[[Call], None]] = {
    "ADD": arithmetic.add,
    "AVERAGE_POOL_2D": pooling.average_pool_2d,
    "CONCATENATION": shaping.concatenation,
    "CONV_2D": convolution.conv_2d,
    "DEPTHWISE_CONV_2D": convolution.depthwise_conv_2d,
    "DEQUANTIZE": quantising.dequantize,
    "EXPAND_DIMS": shaping.expand_dims,
    "FULLY_CONNECTED": convolution.fully_connected,
    "HARD_SWISH": activation.hard_swish,
    "LEAKY_RELU": activation.leaky_relu,
    "LOGISTIC": activation.logistic,
    "MAXIMUM": arithmetic.maximum,
    "MAX_POOL_2D": pooling.max_pool_2d,
    "MEAN": reduction.mean,
    "MINIMUM": arithmetic.minimum,
    "MUL": arithmetic.mul,
    "PAD": shaping.pad,
    "PADV2": shaping.pad_v2,
    "QUANTIZE": quantising.quantize,
    "RELU": activation.relu,
    "RELU6": activation.relu,
    "RELU_N1_TO_1": activation.relu,
    "RESHAPE": shaping.reshape,
    "SLICE": slicing.slice_,
    "SOFTMAX": activation.softmax,
    "SPLIT": slicing.split,
    "SQUEEZE": shaping.squeeze,
    "STRIDED_SLICE": slicing.strided_slice,
    "SUB": arithmetic.sub,
    "TANH": activation.tanh,
    "TRANSPOSE": shaping.transpose,
}


def integerise(source: Source) -> Graph:
    """The integer graph of an int8 TFLite network, equal to TFLite's reference kernels.

    Inputs and outputs keep the file's order of axes; images are NCHW between them, with a
    transpose at each border. Tensors keep the file's names.

    Raises:
        UsageError: the file is damaged, or a shape given for an input does not fit it.
        UnsupportedModelError: an op, a type or a shape in it cannot be taken.
    """
    model = decode(source)
    _refuse_float(source, model)
    scope = Scope(source, model)
    for index in model.inputs:
        tensor = model.tensors[index]
        scope.add_input(tensor, _input_shape(source, tensor))
    _check_shape_options(source, model)
    for operator in model.operators:
        call = Call(scope=scope, operator=operator)
        is_float = call.has(0) and call.input(0).type == "FLOAT32"
        rule = (FLOAT_RULES if is_float else _RULES).get(operator.kind, _RULES.get(operator.kind))
        if rule is None:
            raise refuse.unsupported_op(call.name, operator.kind, ", ".join(_RULES))
        rule(call)
        _check_results(source, model, call)
    _check_outputs(source, model, scope)
    return scope.graph(_identifier(source.path.stem))


def _refuse_float(source: Source, model: FileModel) -> None:
    """Name the usual reason first: a network that was never quantised."""
    computed = [model.tensors[index] for op in model.operators for index in op.outputs]
    types = {tensor.type for tensor in computed}
    if types <= {"FLOAT32"}:
        constants = {tensor.type for tensor in model.tensors if tensor.data is not None}
        hybrid = " with INT8 weights (a hybrid model)" if "INT8" in constants else ""
        raise refuse.float_network(source.path, f"FLOAT32 activations{hybrid}")


def _input_shape(source: Source, tensor: FileTensor) -> tuple[int, ...]:
    given = source.shapes.get(tensor.name)
    if given is None:
        if any(axis > 0 for axis in tensor.dynamic):
            shape = [-1 if i in tensor.dynamic else n for i, n in enumerate(tensor.shape)]
            raise refuse.dynamic_shape(tensor.name, str(shape))
        return tensor.shape
    if len(given) != len(tensor.shape) or min(given, default=1) < 1:
        raise refuse.bad_shape_option(
            tensor.name, str(list(given)), f"{len(tensor.shape)} extents of at least 1"
        )
    return given


def _check_shape_options(source: Source, model: FileModel) -> None:
    names = [model.tensors[index].name for index in model.inputs]
    for name, shape in source.shapes.items():
        if name not in names:
            raise refuse.bad_shape_option(name, str(list(shape)), f"one of {', '.join(names)}")


def _check_results(source: Source, model: FileModel, call: Call) -> None:
    """Hold the file's shapes against those that follow from its inputs."""
    for index in call.operator.outputs:
        tensor = model.tensors[index]
        shape = call.scope.shape(tensor)
        if source.shapes or tensor.dynamic or shape == tensor.shape:
            continue
        raise refuse.malformed(
            source.path,
            f"tensor {tensor.name!r} declared {list(tensor.shape)}",
            f"{list(shape)}, which {call.operator.kind} computes",
        )


def _check_outputs(source: Source, model: FileModel, scope: Scope) -> None:
    for index in model.outputs:
        tensor = model.tensors[index]
        if index in model.inputs or not scope.is_defined(tensor) or scope.is_constant(tensor):
            raise refuse.malformed(
                source.path, f"no op computes output {tensor.name!r}", "outputs that ops compute"
            )


def _identifier(text: str) -> str:
    """``text`` as a C identifier."""
    clean = "".join(c if c.isascii() and c.isalnum() else "_" for c in text).strip("_")
    return clean if clean[:1].isalpha() else f"net_{clean}"
