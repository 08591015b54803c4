"""TFLite networks by the reference kernels of LiteRT."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import version
from typing import Any

from htvm.fidelity.runtimes.runtime import RuntimeMissing, Shown
from htvm.frontend.source import Source
from htvm.ir.tensor import Array, Quantization


class TfliteRuntime:
    """A network in LiteRT, every tensor kept."""

    def __init__(self, source: Source, wanted: Collection[str]) -> None:
        try:
            from ai_edge_litert import interpreter as litert
        except ImportError as error:
            raise RuntimeMissing("LiteRT is not installed; pip install ai-edge-litert") from error
        self.title = f"LiteRT {version('ai-edge-litert')}, reference kernels"
        try:
            self._interpreter: Any = litert.Interpreter(
                model_content=source.data,
                num_threads=1,
                experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
                experimental_preserve_all_tensors=True,
            )
            for port in self._interpreter.get_input_details():
                if port["name"] in source.shapes:
                    self._interpreter.resize_tensor_input(
                        port["index"], source.shapes[port["name"]]
                    )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            text = str(error).splitlines()[0]
            raise RuntimeMissing(f"LiteRT does not take the network: {text}") from error
        self._inputs = {
            port["name"]: port["index"] for port in self._interpreter.get_input_details()
        }
        ends = self._interpreter.get_output_details()
        self.outputs = tuple(port["name"] for port in ends)
        shown = {*wanted, *self.outputs}
        self._shown = {
            tensor["name"]: (tensor["index"], _meaning(tensor))
            for tensor in self._interpreter.get_tensor_details()
            if tensor["name"] in shown
        }

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Shown]:
        """Every tensor that can be shown, by name, for one sample."""
        for name, index in self._inputs.items():
            self._interpreter.set_tensor(index, inputs[name])
        self._interpreter.invoke()
        return {
            name: Shown(array=self._interpreter.get_tensor(index), quantization=meaning)
            for name, (index, meaning) in self._shown.items()
        }


def _meaning(tensor: Mapping[str, Any]) -> Quantization | None:
    stated = tensor["quantization_parameters"]
    if len(stated["scales"]) != 1:
        return None
    return Quantization(
        scale=(float(stated["scales"][0]),), zero_point=int(stated["zero_points"][0])
    )
