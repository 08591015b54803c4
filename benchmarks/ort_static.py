"""onnxruntime's own static quantisation: per tensor, per channel, and with powers of two."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from benchmarks.sets import Floats

KINDS = ("per tensor", "per channel", "powers of two")


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, samples: Floats) -> None:
        self._feeds: Iterator[dict[str, Floats]] = iter([{name: s[None]} for s in samples])

    def get_next(self) -> dict[str, Floats] | None:
        return next(self._feeds, None)


def quantise(source: Path, output: Path, samples: Floats, kind: str) -> None:
    """Quantise a float ONNX file.

    Args:
        source: The float network.
        output: File to write.
        samples: Calibration inputs in the network's own shape.
        kind: One of :data:`KINDS`.
    """
    logging.getLogger().setLevel(logging.ERROR)
    name = onnx.load(source).graph.input[0].name
    symmetric = kind == "powers of two"
    quantize_static(
        source,
        output,
        _Reader(name, samples),
        quant_format=QuantFormat.QDQ,
        per_channel=kind == "per channel",
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": symmetric},
    )
    if symmetric:
        _to_powers_of_two(output)


def _to_powers_of_two(path: Path) -> None:
    """Round every scale up to a power of two and the weights and biases to fit."""
    model = onnx.load(path)
    stored = {item.name: item for item in model.graph.initializer}
    arrays = {name: numpy_helper.to_array(item) for name, item in stored.items()}
    changed: dict[str, np.ndarray] = {}
    for node in model.graph.node:
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"}:
            scale = node.input[1]
            changed[scale] = (2.0 ** np.ceil(np.log2(arrays[scale]))).astype(np.float32)
    biases = {}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in arrays:
            continue
        integers, scale = node.input[0], node.input[1]
        if arrays[integers].dtype == np.int32:
            biases[node.output[0]] = node
            continue
        ratio = arrays[scale] / changed[scale]
        changed[integers] = np.rint(arrays[integers] * ratio).astype(np.int8)
    writers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if len(node.input) > 2 and node.input[2] in biases:
            bias = biases[node.input[2]]
            factors = [changed[writers[name].input[1]] for name in node.input[:2]]
            unit = np.asarray(factors[0] * factors[1], np.float32)
            ratio = arrays[bias.input[1]] / unit
            changed[bias.input[0]] = np.rint(arrays[bias.input[0]] * ratio).astype(np.int32)
            changed[bias.input[1]] = unit.reshape(arrays[bias.input[1]].shape)
    for name, array in changed.items():
        stored[name].CopyFrom(numpy_helper.from_array(array, name))
    onnx.save(model, path)
