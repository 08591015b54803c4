"""The MLPerf Tiny networks, against onnxruntime and against stored outputs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from htvm.frontend import integerise, read
from htvm.numerics import execute

NETWORKS = ("ad", "dscnn", "resnet8", "sww", "vww")
VARIANTS = ("int8_tfl_qdq", "int8_tfl_qop", "ptq_pc_qdq", "ptq_pt_qdq", "ptq_po2_qdq")
SAMPLES = 8


@pytest.fixture(params=NETWORKS)
def network(request):
    root = Path(__file__).resolve().parents[4]
    folder = Path(os.environ.get("HTVM_MODELS") or root.parent / "shared/models") / request.param
    if not folder.is_dir():
        pytest.skip("no real networks: set HTVM_MODELS or put them in ../shared/models")
    return folder


def inputs(folder, tensor):
    """Stored samples in the form a network takes them."""
    stored = np.load(folder / f"{folder.name}_samples.npz")
    integers = stored["input_int8"][:SAMPLES]
    x = integers.astype("f4")
    floats = {
        "resnet8": lambda: x + np.float32(128),
        "vww": lambda: (x + np.float32(128)) / np.float32(255),
        "dscnn": lambda: (x - np.float32(83)) * np.float32(0.5847029),
        "ad": lambda: stored["input_float"][:SAMPLES],
        "sww": lambda: stored["input_float"][:SAMPLES],
    }
    drawn = integers if tensor.dtype == "int8" else floats[folder.name]()
    return drawn.reshape(-1, *tensor.shape[1:])


def last_integers(graph):
    """The int8 tensor before Softmax, or the output."""
    for node in graph.nodes:
        if node.op.kind == "softmaxtable":
            return node.inputs[0]
    writer = graph.producers[graph.outputs[0]]
    return writer.inputs[0] if writer.op.kind == "dequantize" else graph.outputs[0]


def by_onnxruntime(path, tensor, name, samples):
    model = onnx.load(path)
    if tensor not in [output.name for output in model.graph.output]:
        extra = helper.make_tensor_value_info(tensor, TensorProto.INT8, None)
        model.graph.output.append(extra)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    rows = [session.run([tensor], {name: sample[None]})[0] for sample in samples]
    return np.concatenate(rows)


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_equal_those_of_onnxruntime(network, variant):
    path = network / f"{network.name}_{variant}.onnx"
    graph = integerise(read(path))
    (name,) = graph.inputs
    samples = inputs(network, graph.tensors[name])
    tensor = last_integers(graph)
    ours = execute(graph, {name: samples})[tensor]
    theirs = by_onnxruntime(path, tensor, name, samples)
    assert ours.dtype == np.int8
    assert (ours == theirs).mean() >= 0.99
    rows = ours.reshape(len(samples), -1), theirs.reshape(len(samples), -1)
    assert (rows[0].argmax(axis=1) == rows[1].argmax(axis=1)).mean() >= 0.99


def test_carried_integers_equal_the_stored_outputs(network):
    path = network / f"{network.name}_diana_ql.onnx"
    if not path.exists():
        pytest.skip(f"{network.name} has no integer form")
    graph = integerise(read(path))
    (name,) = graph.inputs
    stored = np.load(network / f"{network.name}_diana_ql_io.npz")
    samples = stored["input_int8_nchw"][:40]
    got = execute(graph, {name: samples})[graph.outputs[0]]
    np.testing.assert_array_equal(got, stored["output_int8"][:40])
    assert graph.tensors[name].quantization.scale == (float(stored["input_scale"]),)
