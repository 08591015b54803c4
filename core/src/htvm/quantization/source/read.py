"""From a network file to the float network it means."""

from __future__ import annotations

from htvm.frontend import refuse
from htvm.frontend.source import Source
from htvm.quantization.network import FloatNetwork, Sigmoid, Softmax
from htvm.quantization.source.tidy import tidy


def float_network(source: Source) -> FloatNetwork:
    """The real numbers a network computes; one that is quantised already is dequantised.

    Raises:
        UsageError: the file is damaged, or a shape given for an input does not fit it.
        UnsupportedModelError: an op, a type or a shape in it cannot be taken.
    """
    if source.format == "tflite":
        from htvm.quantization.source.tflite import read
    else:
        from htvm.quantization.source.onnx import read
    network = tidy(read(source))
    for layer in network.layers:
        if isinstance(layer.op, Softmax | Sigmoid):
            raise refuse.unsupported_use(
                layer.name,
                type(layer.op).__name__,
                "it is not behind the last layer",
                "one at the end, which is left to the caller",
            )
    return network
