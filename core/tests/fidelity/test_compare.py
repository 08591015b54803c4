"""A quantised network against itself and against the float network it was made from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from quantize_nets import FloatNet, network, samples

from htvm.fidelity.runtimes.runtime import RuntimeMissing
from htvm.fidelity.stage import compare
from htvm.frontend import integerise, read
from htvm.host.inputs import InputSpec, load_inputs, shown_to
from htvm.quantization.asymmetric import quantise_qdq
from htvm.quantization.calibration import checked
from htvm.quantization.equalise import equalise
from htvm.quantization.execute import execute
from htvm.quantization.quantise import quantise
from htvm.quantization.scheme import Scheme
from htvm.quantization.source.ports import source_ports
from htvm.quantization.statistics import gather
from htvm.quantization.write.integer import integer_model
from htvm.quantization.write.qdq import qdq_model

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A float network, the one quantised from it, and samples."""
    made = tmp_path_factory.mktemp("net")
    net = FloatNet(made)
    x = net.op("Relu", net.conv("x", 3, 8))
    x = net.op("Relu", net.conv(x, 8, 8))
    net.save(net.op("Flatten", net.op("GlobalAveragePool", net.conv(x, 8, 5))), "float.onnx")
    found = network(made / "float.onnx")
    quantised = quantise(found, checked({"x": samples(24, 1)}, "x"), Scheme(engine="digital"))
    (made / "integer.onnx").write_bytes(integer_model(quantised.integers).SerializeToString())
    labels = execute(found, {"x": samples(20, 7)})[found.output].reshape(20, -1).argmax(axis=1)
    np.savez(made / "samples.npz", x=samples(20, 7), labels=labels)
    return made


def against(folder, source):
    graph = integerise(read(folder / "integer.onnx"))
    given = load_inputs(InputSpec(path=str(folder / "samples.npz")), graph)
    original = read(folder / source)
    same = source == "integer.onnx"
    if not same:
        given = shown_to(given, source_ports(original))
    return compare(graph, original, given, same_network=same)


def test_itself_in_onnxruntime_is_equal_in_every_element(folder):
    found = against(folder, "integer.onnx")
    assert len(found.tensors) >= 4
    assert all(error.sqnr_db is None and error.max_lsb == 0 for error in found.tensors)
    assert found.worst is None
    assert found.agreement.same == found.agreement.samples == 20


def test_its_source_is_near_layer_by_layer(folder):
    found = against(folder, "float.onnx")
    assert len(found.tensors) >= 3
    assert all(15 < error.sqnr_db < 60 for error in found.tensors)
    assert found.agreement.source_correct == 20
    assert found.agreement.same >= 17
    assert found.worst is not None


def test_a_layer_that_is_wrong_is_where_the_most_is_lost(folder):
    graph = integerise(read(folder / "integer.onnx"))
    spoilt = max(
        (node for node in graph.nodes if node.op.kind == "shiftrequant"),
        key=lambda node: graph.tensors[node.output].elements * (node.output != graph.outputs[0]),
    )
    op = replace(spoilt.op, shift=spoilt.op.shift + 1)
    nodes = [replace(node, op=op) if node is spoilt else node for node in graph.nodes]
    given = load_inputs(InputSpec(path=str(folder / "samples.npz")), graph)
    wrong = replace(graph, nodes=tuple(nodes))
    found = compare(wrong, read(folder / "integer.onnx"), given, same_network=True)
    assert found.worst.tensor == spoilt.output


def test_factors_of_equalised_channels_are_kept(folder):
    found = network(folder / "float.onnx")
    x = {"x": samples(6, 3)}
    even = equalise(found, gather(found, x, 0).channels)
    assert even.factors
    before, after = execute(found, x), execute(even, x)
    for name, factor in even.factors.items():
        wide = factor.reshape((1, -1) + (1,) * (before[name].ndim - 2))
        assert np.allclose(after[name] * wide, before[name], rtol=1e-3, atol=1e-4)


def test_a_network_the_runtime_does_not_take_is_told(folder):
    source = replace(read(folder / "integer.onnx"), data=b"\x08\x08")
    graph = integerise(read(folder / "integer.onnx"))
    given = load_inputs(InputSpec(path=str(folder / "samples.npz")), graph)
    with pytest.raises(RuntimeMissing, match="does not take"):
        compare(graph, source, given, same_network=True)


def test_integers_between_quantize_and_dequantize_are_held_against_the_tensor_they_stand_for(
    folder,
):
    found = network(folder / "float.onnx")
    made = quantise_qdq(found, {"x": samples(24, 1)})
    (folder / "qdq.onnx").write_bytes(qdq_model(made).SerializeToString())
    graph = integerise(read(folder / "qdq.onnx"))
    original = read(folder / "float.onnx")
    given = load_inputs(InputSpec(path=str(folder / "samples.npz")), graph)
    compared = compare(graph, original, shown_to(given, source_ports(original)), same_network=False)
    integers = [error for error in compared.tensors if error.max_lsb is not None]
    assert len(integers) >= 3
    assert all(15 < error.sqnr_db < 60 for error in compared.tensors)
    assert max(error.lost_db for error in compared.tensors) < 30, "rounding the input counts"
