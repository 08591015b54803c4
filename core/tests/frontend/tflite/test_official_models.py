"""The official MLPerf Tiny int8 networks against TFLite's reference kernels."""

import os
from pathlib import Path

import numpy as np
import pytest

from htvm.frontend import integerise, read
from htvm.frontend.tflite.decode import decode
from htvm.ir.ops import Reshape, Transpose
from htvm.numerics import execute

FILES = {
    "resnet8": "pretrainedResnet_quant.tflite",
    "vww": "vww_96_int8.tflite",
    "dscnn": "kws_ref_model.tflite",
    "ad": "ad01_int8.tflite",
    "sww": "str_ww_ref_model.tflite",
}
OVERWRITTEN = {"resnet8": {2, 6, 10}}
"""Layers whose stored output an addition in place has overwritten."""


@pytest.fixture(params=FILES)
def network(request):
    root = Path(__file__).parents[4]
    folder = Path(os.environ.get("HTVM_MODELS", root.parent / "shared/models")) / request.param
    if not folder.is_dir():
        pytest.skip(f"no real networks: set HTVM_MODELS to the folder that holds {request.param}")
    return request.param, folder


def load(network):
    name, folder = network
    return name, folder, read(folder / FILES[name])


def test_outputs_are_those_of_the_reference_kernels(network):
    name, folder, source = load(network)
    graph = integerise(source)
    samples = np.load(folder / f"{name}_samples.npz")
    (result,) = (
        execute(graph, {graph.inputs[0]: samples["input_int8"]})[output] for output in graph.outputs
    )
    np.testing.assert_array_equal(result, samples["tfl_int8_ref"])


def test_every_layer_is_that_of_the_reference_kernels(network):
    name, folder, source = load(network)
    graph = integerise(source)
    x = np.load(folder / f"{name}_samples.npz")["input_int8"][:1]
    results = execute(graph, {graph.inputs[0]: x})
    layers = np.load(folder / f"{name}_layers_tflref_sample0.npz")
    model = decode(source)
    for number, operator in enumerate(model.operators):
        if number in OVERWRITTEN.get(name, ()):
            continue
        result = results[model.tensors[operator.outputs[0]].name]
        moves_axes = result.ndim == 4 and operator.kind != "RESHAPE"
        in_file_order = result.transpose(0, 2, 3, 1) if moves_axes else result
        np.testing.assert_array_equal(in_file_order, layers[f"{number:02d}_{operator.kind}"])


def test_only_the_borders_are_transposed(network):
    graph = integerise(load(network)[2])
    moves = [node for node in graph.nodes if isinstance(node.op, Transpose)]
    reshapes = [node for node in graph.nodes if isinstance(node.op, Reshape)]
    assert len(moves) <= 1
    assert len(moves) + len(reshapes) <= 2
