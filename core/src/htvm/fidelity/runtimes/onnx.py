"""ONNX networks by onnxruntime."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from htvm.fidelity.runtimes.runtime import RuntimeMissing, Shown
from htvm.frontend.source import Source
from htvm.ir.tensor import Array, Quantization

if TYPE_CHECKING:
    from onnx import ModelProto


class OnnxRuntime:
    """A network in onnxruntime, integer kernels where the network is quantised.

    Tensors are asked for as they lie between quantised operators: a real tensor that the network
    rounds at once is shown as the integers it becomes, because asking for the real numbers would
    make onnxruntime compute them in float.

    Args:
        source: The network.
        wanted: Tensors to show, as far as that goes.
        carried: Whether the network's integers are carried in float, so that none is in the way.
        mixed: Whether some of its layers are real; onnxruntime would quantise their weights.
    """

    def __init__(
        self, source: Source, wanted: Collection[str], *, carried: bool, mixed: bool
    ) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise RuntimeMissing("onnxruntime is not installed; pip install onnxruntime") from error
        model = _model(source)
        self.title = f"onnxruntime {onnxruntime.__version__}"
        self.outputs = tuple(port.name for port in model.graph.output)
        self._places = _places(model, {*wanted, *self.outputs}, carried=carried)
        _show(model, self._places.values())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.qdqisint8allowed", "1")
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=["WeightBiasQuantization"] if mixed else None,
            )
        except Exception as error:  # onnxruntime has no common base of what it raises
            text = str(error).splitlines()[0]
            raise RuntimeMissing(f"onnxruntime does not take the network: {text}") from error
        self._grids = _grids(model)
        self._types = _input_types(model)

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Shown]:
        """Every tensor that can be shown, by name, for one sample."""
        places = list(dict.fromkeys(self._places.values()))
        fed = {name: array.astype(self._types[name]) for name, array in inputs.items()}
        arrays = dict(zip(places, self._session.run(places, fed), strict=True))
        return {
            name: Shown(array=arrays[place], quantization=self._grids.get(place))
            for name, place in self._places.items()
        }


def _model(source: Source) -> ModelProto:
    """The file, its external data and the user's shapes in it."""
    from onnx import ModelProto as Proto
    from onnx.external_data_helper import load_external_data_for_model

    model: ModelProto = Proto.FromString(source.data)
    load_external_data_for_model(model, str(source.path.parent))
    for port in model.graph.input:
        extents = source.shapes.get(port.name)
        if extents is not None:
            held = port.type.tensor_type.shape
            del held.dim[:]
            for extent in extents:
                held.dim.add().dim_value = extent
    return model


def _input_types(model: ModelProto) -> dict[str, np.dtype[np.generic]]:
    from onnx.helper import tensor_dtype_to_np_dtype

    return {
        port.name: tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type)
        for port in model.graph.input
    }


def _places(model: ModelProto, wanted: Collection[str], *, carried: bool) -> dict[str, str]:
    """The tensor to ask for in place of each one wanted."""
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    rounded: dict[str, list[str]] = {}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            rounded.setdefault(node.input[0], []).append(node.output[0])
    ends = {port.name for port in model.graph.output}
    plain = carried or not rounded
    found = {}
    for name in wanted:
        if name in ends or (name in makers and (plain or _is_integer(makers[name]))):
            found[name] = name
        elif len(rounded.get(name, ())) == 1:
            found[name] = rounded[name][0]
    return found


def _is_integer(op: str) -> bool:
    return "QLinear" in op or op in {"QuantizeLinear", "QGemm"}


def _show(model: ModelProto, names: Collection[str]) -> None:
    from onnx import ValueInfoProto

    there = {port.name for port in model.graph.output}
    for name in sorted(set(names) - there):
        model.graph.output.append(ValueInfoProto(name=name))


def _grids(model: ModelProto) -> dict[str, Quantization]:
    """What the integers of each QuantizeLinear stand for."""
    from onnx.numpy_helper import to_array

    known = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type != "QuantizeLinear" or node.input[1] not in known:
            continue
        scale: Any = to_array(known[node.input[1]])
        zero: Any = 0
        if len(node.input) > 2 and node.input[2] in known:
            zero = to_array(known[node.input[2]])
        if np.size(scale) == 1:
            found[node.output[0]] = Quantization(
                scale=(float(np.ravel(scale)[0]),), zero_point=int(np.ravel(zero)[0])
            )
    return found
