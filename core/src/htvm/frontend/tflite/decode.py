"""From a TFLite flatbuffer to plain values.

A flatbuffer is offsets all the way down, so a damaged file may fail at any access. Every access
is made here, where a failure becomes one error.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tflite

from htvm.errors import UsageError
from htvm.frontend import refuse
from htvm.frontend.source import Source
from htvm.frontend.tflite.model import FileModel, FileTensor, Operator, Option
from htvm.frontend.tflite.options import OPTIONS

_IDENTIFIER = b"TFL3"
_VERSION = 3
_MOST_ENTRIES = 1 << 16
"""Tensors or operators in a file; guards against lengths made of garbage."""


def decode(source: Source) -> FileModel:
    """The file's main subgraph.

    Raises:
        UsageError: the bytes are not a complete TFLite file.
    """
    if source.data[4:8] != _IDENTIFIER:
        raise refuse.corrupt(source.path, f"identifier {source.data[4:8]!r}, not {_IDENTIFIER!r}")
    try:
        return _Reader(source).model()
    except (
        struct.error,
        IndexError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
    ) as error:
        raise refuse.corrupt(source.path, f"an offset leads out of the file ({error})") from error


@cache
def enum_names(enum: str) -> dict[int, str]:
    """Names of a schema enumeration's values."""
    return {
        value: name
        for name, value in vars(getattr(tflite, enum)).items()
        if not name.startswith("_")
    }


class _Reader:
    """Walks one file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._root = tflite.Model.GetRootAs(source.data, 0)

    def model(self) -> FileModel:
        root = self._root
        if root.Version() != _VERSION:
            raise self._corrupt(f"schema version {root.Version()}, not {_VERSION}")
        if not root.SubgraphsLength():
            raise self._corrupt("no subgraph")
        graph = root.Subgraphs(0)
        self._limit("tensors", graph.TensorsLength())
        self._limit("operators", graph.OperatorsLength())
        names = _names(graph)
        tensors = tuple(self._tensor(graph.Tensors(i), i, name) for i, name in enumerate(names))
        model = FileModel(
            inputs=self._numbers(graph.InputsAsNumpy(), len(tensors)),
            outputs=self._numbers(graph.OutputsAsNumpy(), len(tensors)),
            tensors=tensors,
            operators=tuple(
                self._operator(graph.Operators(i), len(tensors))
                for i in range(graph.OperatorsLength())
            ),
            version=root.Version(),
        )
        if not model.inputs or not model.outputs:
            raise self._corrupt("no inputs or no outputs")
        return model

    def _tensor(self, tensor: Any, index: int, name: str) -> FileTensor:
        quantization = tensor.Quantization()
        scale = _vector(quantization.ScaleAsNumpy()) if quantization else []
        zero_point = _vector(quantization.ZeroPointAsNumpy()) if quantization else []
        unusual = "variable" if tensor.IsVariable() else "sparse" if tensor.Sparsity() else ""
        shape, dynamic = self._shape(tensor, name)
        return FileTensor(
            index=index,
            name=name,
            shape=shape,
            dynamic=dynamic,
            type=enum_names("TensorType").get(tensor.Type(), str(tensor.Type())),
            scale=tuple(float(value) for value in scale),
            zero_point=tuple(int(value) for value in zero_point) or (0,) * len(scale),
            axis=quantization.QuantizedDimension() if quantization else 0,
            data=self._buffer(tensor.Buffer()),
            unusual=unusual,
        )

    def _shape(self, tensor: Any, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shape, with a dynamic batch set to 1, and the axes that are dynamic."""
        shape = tuple(int(size) for size in _vector(tensor.ShapeAsNumpy()))
        signature = tuple(int(size) for size in _vector(tensor.ShapeSignatureAsNumpy())) or shape
        if len(signature) != len(shape) or min((*shape, *signature), default=0) < -1:
            raise self._corrupt(f"tensor {name!r} of shape {shape} and signature {signature}")
        dynamic = tuple(axis for axis, size in enumerate(signature) if size == -1)
        fixed = (1, *shape[1:]) if 0 in dynamic else shape
        return fixed, dynamic

    def _buffer(self, number: int) -> npt.NDArray[np.uint8] | None:
        root = self._root
        if number >= root.BuffersLength():
            raise self._corrupt(f"buffer {number} of {root.BuffersLength()}")
        buffer = root.Buffers(number)
        if buffer.Offset() > 1:
            end = buffer.Offset() + buffer.Size()
            if end > len(self._source.data):
                raise self._corrupt(f"buffer {number} ends at byte {end}")
            whole = np.frombuffer(self._source.data, dtype=np.uint8)
            return whole[buffer.Offset() : end]
        data = buffer.DataAsNumpy()
        return data if isinstance(data, np.ndarray) and data.size else None

    def _operator(self, operator: Any, tensors: int) -> Operator:
        if operator.OpcodeIndex() >= self._root.OperatorCodesLength():
            raise self._corrupt(f"operator code {operator.OpcodeIndex()}")
        code = self._root.OperatorCodes(operator.OpcodeIndex())
        # Codes past 127 do not fit the old field, which then holds a placeholder.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = enum_names("BuiltinOperator").get(number, f"number {number}")
        if kind == "CUSTOM":
            kind = f"CUSTOM {(code.CustomCode() or b'').decode(errors='replace')}"
        return Operator(
            kind=kind,
            inputs=self._numbers(operator.InputsAsNumpy(), tensors, least=-1),
            outputs=self._numbers(operator.OutputsAsNumpy(), tensors),
            options=dict(self._options(operator, kind)),
        )

    def _options(self, operator: Any, kind: str) -> Iterator[tuple[str, Option]]:
        table, fields = OPTIONS.get(kind, ("", ()))
        if not fields:
            return
        found = enum_names("BuiltinOptions").get(operator.BuiltinOptionsType(), "unknown")
        union = operator.BuiltinOptions()
        if found != table or union is None:
            raise self._corrupt(f"{kind} has options of type {found}, not {table}")
        options = getattr(tflite, table)()
        options.Init(union.Bytes, union.Pos)
        for name in fields:
            many = getattr(options, f"{name}AsNumpy", None)
            if many is None:
                yield name, getattr(options, name)()
            else:
                yield name, tuple(int(value) for value in _vector(many()))

    def _numbers(self, vector: Any, count: int, least: int = 0) -> tuple[int, ...]:
        numbers = tuple(int(number) for number in _vector(vector))
        for number in numbers:
            if not least <= number < count:
                raise self._corrupt(f"tensor number {number} of {count}")
        return numbers

    def _limit(self, what: str, count: int) -> None:
        if count > _MOST_ENTRIES:
            raise self._corrupt(f"{count} {what}")

    def _corrupt(self, reason: str) -> UsageError:
        return refuse.corrupt(self._source.path, reason)


def _vector(values: Any) -> Any:
    """A vector's elements; the accessors give the number 0 for one that is absent."""
    return values if isinstance(values, np.ndarray) else ()


def _names(graph: Any) -> list[str]:
    """Names of the tensors, made unique; some files leave them empty or repeat them."""
    names: dict[str, None] = {}
    for index in range(graph.TensorsLength()):
        name = (graph.Tensors(index).Name() or b"").decode(errors="replace")
        if not name or name in names:
            name = f"{name or 'tensor'}_{index}"
        while name in names:
            name += "_"
        names[name] = None
    return list(names)
