"""Layers left in real numbers: what computes with them, and that runtimes get the same."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from quantize_nets import FloatNet, by_onnxruntime, network, residual, samples

from htvm.quantization.asymmetric import exempted_qdq, quantise_qdq, run_qdq
from htvm.quantization.calibration import checked
from htvm.quantization.execute import output
from htvm.quantization.integer import exempted, logits, read_inputs
from htvm.quantization.quantise import quantise
from htvm.quantization.real import real_layers, real_tensors, sums
from htvm.quantization.scheme import Scheme
from htvm.quantization.write.integer import integer_model
from htvm.quantization.write.qdq import qdq_model

X = {"x": samples(24, 1) + 2}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    return network(residual(FloatNet(tmp_path_factory.mktemp("net"))))


@pytest.fixture(scope="module")
def made(net):
    return quantise(net, checked(X, "x"), Scheme(engine="digital"))


def left(net, numbers):
    return real_layers(net, frozenset(sums(net)[number] for number in numbers))


def test_ops_between_exempt_layers_follow_and_nothing_else(net) -> None:
    first, deep, point, total, down, pool, classify = sums(net)
    assert real_layers(net, frozenset()) == frozenset()
    assert total not in real_layers(net, frozenset({deep, point}))
    assert total in real_layers(net, frozenset({first, point}))
    assert pool in real_layers(net, frozenset({down}))
    assert classify not in real_layers(net, frozenset({down}))


def test_averages_that_only_exempt_layers_read_follow_and_no_other_sum(net) -> None:
    _, _, _, total, down, pool, classify = sums(net)
    assert real_layers(net, frozenset({classify})) >= {pool, classify}
    assert total not in real_layers(net, frozenset({down}))
    assert pool not in real_layers(net, frozenset({classify}), frozenset({pool}))


def test_an_input_is_real_when_no_quantised_layer_reads_it(net) -> None:
    first = sums(net)[0]
    assert "x" in real_tensors(net, frozenset({first}))
    assert "x" not in real_tensors(net, frozenset(sums(net)[1:]))
    assert "x" not in real_tensors(net, frozenset())


SETS = [(0,), (1,), (0, 2), (2, 3), (4,), (6,), (4, 6), (0, 1, 2, 4, 6)]


@pytest.mark.parametrize("numbers", SETS)
def test_onnxruntime_computes_the_integer_form_as_we_do(net, made, numbers) -> None:
    mixed = exempted(made.integers, made.network, left(net, numbers))
    x = samples(16, 5) + 2
    given = read_inputs(mixed, {"x": x})["x"]
    model = integer_model(mixed)
    if "x" not in mixed.real_tensors:
        given = (given + mixed.input_zero).astype(np.int8)
    theirs = by_onnxruntime(model.SerializeToString(), given) * np.float32(mixed.output_scale)
    # A runtime that sums in another order rounds a few elements near a half the other way.
    assert np.abs(theirs - logits(mixed, {"x": x})).max() <= 1.01 * made.integers.scales[net.output]
    assert np.isclose(theirs, logits(mixed, {"x": x}), atol=1e-4).mean() > 0.95
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize("numbers", SETS)
def test_onnxruntime_computes_the_qdq_form_as_we_do(net, numbers) -> None:
    mixed = exempted_qdq(quantise_qdq(net, X), net, left(net, numbers))
    x = samples(16, 5) + 2
    theirs = by_onnxruntime(qdq_model(mixed).SerializeToString(), x)
    assert np.isclose(theirs, run_qdq(mixed, {"x": x}), atol=1e-4).mean() > 0.9


def test_with_every_layer_exempt_it_is_the_source(net, made) -> None:
    x = {"x": samples(16, 5) + 2}
    everything = left(net, range(len(sums(net))))
    mixed = exempted(made.integers, made.network, everything)
    assert np.allclose(logits(mixed, x), output(net, x), rtol=1e-5, atol=1e-5)
    kinds = {node.op_type for node in integer_model(mixed).graph.node}
    assert not kinds & {"Cast", "Floor", "QuantizeLinear", "DequantizeLinear"}
    qdq = exempted_qdq(quantise_qdq(net, X), net, everything)
    assert np.array_equal(run_qdq(qdq, x), output(net, x))


def test_only_what_is_left_real_changes(net, made) -> None:
    mixed = exempted(made.integers, made.network, left(net, (1,)))
    before = made.integers.network.producers
    changed = [
        node.name for name, node in mixed.network.producers.items() if node.op != before[name].op
    ]
    assert changed == [sums(net)[1]]
