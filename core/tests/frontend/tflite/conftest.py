import hashlib
from dataclasses import dataclass
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
import tflite

from htvm.frontend.source import Source
from htvm.frontend.tflite.options import OPTIONS


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    name: str
    shape: tuple[int, ...]
    type: str = "INT8"
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    axis: int = 0
    data: np.ndarray | None = None
    signature: tuple[int, ...] = ()
    buffer: int | None = None


class TfliteFile:
    """Writes a TFLite file: declare tensors and ops by name, then take the bytes."""

    def __init__(self) -> None:
        self.tensors: list[TensorSpec] = []
        self.ops: list[tuple[str, list[str], list[str], dict]] = []
        self.inputs: list[str] = []
        self.outputs: list[str] = []

    def tensor(self, name, shape, scale=None, zero_point=0, **more) -> str:
        scales = () if scale is None else tuple(np.atleast_1d(scale).tolist())
        zero_points = tuple(np.broadcast_to(zero_point, len(scales)).tolist())
        spec = TensorSpec(
            name=name, shape=tuple(shape), scale=scales, zero_point=zero_points, **more
        )
        self.tensors.append(spec)
        return name

    def constant(self, name, data, scale=None, zero_point=0, **more) -> str:
        data = np.asarray(data)
        kind = {"int64": "INT64", "int32": "INT32", "int8": "INT8", "float32": "FLOAT32"}
        return self.tensor(
            name, data.shape, scale, zero_point, type=kind[data.dtype.name], data=data, **more
        )

    def op(self, kind, inputs, outputs, **options) -> None:
        self.ops.append((kind, list(inputs), list(outputs), options))

    def data(self) -> bytes:
        return _Writer(self).data()

    def source(self, **shapes) -> Source:
        data = self.data()
        digest = hashlib.sha256(data).hexdigest()
        path = Path("some net.tflite")
        return Source(path=path, format="tflite", data=data, sha256=digest, shapes=shapes)


class _Writer:
    def __init__(self, file: TfliteFile) -> None:
        self.file = file
        self.builder = flatbuffers.Builder(1024)

    def data(self) -> bytes:
        constants = [t.data.tobytes() for t in self.file.tensors if t.data is not None]
        buffers = [self.table("Buffer")]
        buffers += [self.table("Buffer", Data=self.raw(data)) for data in constants]
        kinds = list(dict.fromkeys(kind for kind, *_ in self.file.ops))
        codes = [
            self.table(
                "OperatorCode",
                DeprecatedBuiltinCode=min(self.number(kind), 127),
                BuiltinCode=self.number(kind),
                Version=1,
            )
            for kind in kinds
        ]
        names = [spec.name for spec in self.file.tensors]
        index = {name: number for number, name in enumerate(names)} | {"": -1}
        graph = self.table(
            "SubGraph",
            Tensors=self.offsets(self.all_tensors()),
            Inputs=self.ints([index[name] for name in self.file.inputs]),
            Outputs=self.ints([index[name] for name in self.file.outputs]),
            Operators=self.offsets([self.operator(kinds, index, op) for op in self.file.ops]),
        )
        model = self.table(
            "Model",
            Version=3,
            OperatorCodes=self.offsets(codes),
            Subgraphs=self.offsets([graph]),
            Description=self.builder.CreateString("test"),
            Buffers=self.offsets(buffers),
        )
        self.builder.Finish(model, file_identifier=b"TFL3")
        return bytes(self.builder.Output())

    def all_tensors(self):
        next_buffer = 1
        for spec in self.file.tensors:
            buffer = 0
            if spec.data is not None:
                buffer, next_buffer = next_buffer, next_buffer + 1
            yield self.tensor(spec, buffer if spec.buffer is None else spec.buffer)

    def tensor(self, spec: TensorSpec, buffer: int):
        fields = {}
        if spec.scale:
            fields["Quantization"] = self.table(
                "QuantizationParameters",
                Scale=self.builder.CreateNumpyVector(np.float32(spec.scale)),
                ZeroPoint=self.builder.CreateNumpyVector(np.int64(spec.zero_point)),
                QuantizedDimension=spec.axis,
            )
        if spec.signature:
            fields["ShapeSignature"] = self.ints(spec.signature)
        return self.table(
            "Tensor",
            Shape=self.ints(spec.shape),
            Type=getattr(tflite.TensorType, spec.type),
            Buffer=buffer,
            Name=self.builder.CreateString(spec.name),
            **fields,
        )

    def operator(self, kinds, index, op):
        kind, inputs, outputs, options = op
        fields = {}
        table = OPTIONS.get(kind, ("", ()))[0]
        if table:
            values = {
                name: self.ints(value) if isinstance(value, list) else value
                for name, value in options.items()
            }
            fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, table)
            fields["BuiltinOptions"] = self.table(table, **values)
        return self.table(
            "Operator",
            OpcodeIndex=kinds.index(kind),
            Inputs=self.ints([index[name] for name in inputs]),
            Outputs=self.ints([index[name] for name in outputs]),
            **fields,
        )

    def number(self, kind: str) -> int:
        return getattr(tflite.BuiltinOperator, kind)

    def table(self, kind: str, **fields):
        getattr(tflite, f"{kind}Start")(self.builder)
        for name, value in fields.items():
            getattr(tflite, f"{kind}Add{name}")(self.builder, value)
        return getattr(tflite, f"{kind}End")(self.builder)

    def ints(self, values):
        return self.builder.CreateNumpyVector(np.array(values, dtype=np.int32))

    def raw(self, data: bytes):
        # The micro interpreter reads constants in place, so they must be aligned.
        self.builder.StartVector(1, len(data), 16)
        self.builder.head -= len(data)
        self.builder.Bytes[self.builder.head : self.builder.head + len(data)] = data
        return self.builder.EndVector()

    def offsets(self, values):
        values = list(values)
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self.builder.PrependUOffsetTRelative(value)
        return self.builder.EndVector()


@pytest.fixture
def file() -> TfliteFile:
    return TfliteFile()
