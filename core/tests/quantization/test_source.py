"""Float networks are read as what they compute."""

from __future__ import annotations

import numpy as np
import pytest
from quantize_nets import FloatNet, by_onnxruntime, network, residual, samples

from htvm.errors import UnsupportedModelError
from htvm.quantization.execute import output
from htvm.quantization.network import Conv, Linear


@pytest.fixture
def net(tmp_path):
    return FloatNet(tmp_path)


def one_by_one(path, x):
    return np.concatenate([by_onnxruntime(path, sample[None]) for sample in x])


def test_computes_what_onnxruntime_does_but_for_the_softmax(net) -> None:
    path, x = residual(net), samples(4, 1)
    found = network(path)
    logits = output(found, {"x": x})
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert np.allclose(grown / grown.sum(axis=1, keepdims=True), one_by_one(path, x), atol=1e-5)
    assert "softmax" in found.notes[0]


def test_batch_normalisation_and_scaling_fold_away(net) -> None:
    x = net.conv("x", 3, 6)
    numbers = [net.const(net.random.uniform(0.5, 1.5, 6)) for _ in range(4)]
    x = net.op("Relu", net.op("BatchNormalization", x, *numbers))
    x = net.op("Mul", net.conv(x, 6, 4), net.const(net.random.uniform(1, 2, (1, 4, 1, 1))))
    path = net.save(x)
    found = network(path)
    assert [type(layer.op) for layer in found.layers] == [Conv, Conv]
    given = samples(2, 0)
    assert np.allclose(output(found, {"x": given}), one_by_one(path, given), atol=1e-4)


def test_quantisers_leave_their_relu_behind(net) -> None:
    x = net.conv("x", 3, 4)
    grid = net.const(np.float32(0.02)), net.const(np.array(-128, np.int8))
    x = net.op("DequantizeLinear", net.op("QuantizeLinear", x, *grid), *grid)
    found = network(net.save(x))
    (layer,) = found.layers
    assert isinstance(layer.op, Linear)
    assert (layer.op.lo, layer.op.hi) == (0.0, np.inf)


def test_names_survive(net) -> None:
    found = network(residual(net))
    assert [layer.name for layer in found.layers if isinstance(layer.op, Linear)] == [
        "n0",
        "n2",
        "n4",
        "n7",
        "n11",
    ]


def test_an_op_without_an_integer_form_is_refused_by_name(net) -> None:
    path = net.save(net.op("Erf", "x"))
    with pytest.raises(UnsupportedModelError) as error:
        network(path)
    assert error.value.code == "E202"
    assert "Erf" in error.value.message


@pytest.mark.parametrize("kind", ["Sigmoid", "Softmax"])
def test_a_function_without_integers_is_refused_among_the_layers(net, kind) -> None:
    x = net.op(kind, net.conv("x", 3, 4))
    with pytest.raises(UnsupportedModelError) as caught:
        network(net.save(net.conv(x, 4, 2)))
    assert caught.value.code == "E203"
    assert kind in str(caught.value)
