"""What is quantised is exact everywhere it runs, and near to the float network."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quantize_nets import FloatNet, by_onnxruntime, network, residual, samples

from htvm.fidelity.meaning import Meaning
from htvm.fidelity.runtimes.runtime import Shown
from htvm.fidelity.tally import Tally
from htvm.frontend import integerise, read
from htvm.ir.dtype import DType
from htvm.ir.ops import Pad
from htvm.ir.tensor import Tensor
from htvm.numerics import execute
from htvm.quantization.asymmetric import quantise_qdq, run_qdq
from htvm.quantization.calibrate import bounded_bias
from htvm.quantization.calibration import checked
from htvm.quantization.equalise import equalise
from htvm.quantization.execute import output
from htvm.quantization.integer import Step, logits, read_inputs, run, worst_sum
from htvm.quantization.network import Add, AvgPool, Linear
from htvm.quantization.offset import without_offsets
from htvm.quantization.quality import sqnr_db
from htvm.quantization.quantise import quantise
from htvm.quantization.rounding import Range, compensated, error, nearest
from htvm.quantization.scheme import EXACT_IN_FLOAT, Scheme
from htvm.quantization.statistics import gather
from htvm.quantization.write.integer import integer_model
from htvm.quantization.write.qdq import qdq_model

SCHEME = Scheme(engine="digital")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    found = network(residual(FloatNet(tmp_path_factory.mktemp("net"))))
    return found, quantise(found, checked({"x": samples(24, 1)}, "x"), SCHEME)


def written(quantised, folder):
    path = folder / "quantised.onnx"
    path.write_bytes(integer_model(quantised).SerializeToString())
    return path


@settings(max_examples=12, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**16), channels=st.sampled_from([4, 7]), pool=st.booleans())
def test_onnxruntime_reference_and_ours_agree_in_every_element(
    tmp_path_factory, seed, channels, pool
) -> None:
    folder = tmp_path_factory.mktemp("net")
    net = FloatNet(folder, seed=seed)
    x = net.op("Relu", net.conv("x", 3, channels))
    x = net.op("Add", x, net.conv(x, channels, channels, groups=channels))
    if pool:
        x = net.op("AveragePool", x, kernel_shape=[3, 3], strides=[3, 3])
    x = net.op("Concat", x, net.op("Relu", x), axis=1)
    found = network(net.save(net.conv(x, 2 * channels, 5, size=1)))
    quantised = quantise(found, checked({"x": samples(6, seed)}, "x"), SCHEME).integers
    path = written(quantised, folder)
    held = read_inputs(quantised, {"x": 3 * samples(5, seed + 1)})
    given_x = (held["x"] + quantised.input_zero).astype(np.int8)
    graph = integerise(read(path))
    exact = execute(graph, {"x": given_x})[graph.outputs[0]]
    assert np.array_equal(by_onnxruntime(path, given_x), exact)
    assert np.array_equal(run(quantised, held)[found.output], exact)
    assert graph.tensors["x"].quantization.zero_point == quantised.input_zero


def test_the_scale_of_an_average_is_a_shift_away_from_that_of_its_input(tmp_path) -> None:
    net = FloatNet(tmp_path)
    x = net.op("AveragePool", net.op("Relu", net.conv("x", 3, 8)), kernel_shape=[3, 3])
    found = network(net.save(net.conv(net.op("Relu", net.conv(x, 8, 8)), 8, 4)))
    quantised = quantise(found, checked({"x": samples(12, 0)}, "x"), SCHEME).integers
    (pool,) = [layer for layer in quantised.network.layers if isinstance(layer.op, AvgPool)]
    ratio = quantised.scales[pool.output] * 9 / quantised.scales[pool.inputs[0]]
    assert log2(ratio) == pytest.approx(quantised.steps[pool.name].shift)


def test_a_one_sided_input_gets_a_zero_point_and_its_border_holds_it(tmp_path) -> None:
    net = FloatNet(tmp_path)
    first = net.op("Relu", net.conv("x", 3, 8))
    found = network(net.save(net.conv(first, 8, 96)))
    x = 5 + samples(16, 0) / 5
    quantised = quantise(found, checked({"x": x}, "x"), SCHEME).integers
    assert quantised.input_zero < -100
    plain = without_offsets(quantised)
    (border,) = [layer.op for layer in plain.network.layers if isinstance(layer.op, Pad)]
    assert border.value == quantised.input_zero
    held = read_inputs(quantised, {"x": x})
    shifted = {"x": held["x"] + quantised.input_zero}
    assert np.array_equal(run(plain, shifted)[found.output], run(quantised, held)[found.output])


def test_is_near_to_float_on_samples_not_seen(made) -> None:
    found, quantised = made
    x = samples(64, 7)
    wanted = output(found, {"x": x})
    noise = np.mean((logits(quantised.integers, {"x": x}) - wanted) ** 2)
    assert 10 * np.log10(wanted.var() / noise) > 20


def test_scales_obey_the_arithmetic(made) -> None:
    integers = made[1].integers
    for layer in integers.network.layers:
        step = integers.steps.get(layer.name)
        if isinstance(layer.op, Linear):
            assert np.array_equal(layer.op.weights, np.rint(layer.op.weights))
            assert np.abs(layer.op.weights).max() <= 127
            assert worst_sum(layer.op, -128, 127) < EXACT_IN_FLOAT
            assert 0 <= step.shift <= 31
            assert (step.lo, step.hi) in {(-128, 127), (0, 127)}
        if isinstance(layer.op, Add):
            ends = [integers.scales[name] for name in (*layer.inputs, layer.output)]
            assert ends[0] == ends[1]
            assert log2(ends[2] / ends[0]) == step.shift


def test_is_the_same_every_time(made) -> None:
    found, quantised = made
    again = quantise(found, checked({"x": samples(24, 1)}, "x"), SCHEME)
    first, second = (integer_model(q.integers).SerializeToString() for q in (quantised, again))
    assert first == second


def test_qdq_is_near_and_onnxruntime_runs_it(made, tmp_path) -> None:
    found, _ = made
    x = samples(48, 3)
    quantised = quantise_qdq(found, {"x": x[:24]})
    wanted = output(found, {"x": x[24:]})
    path = tmp_path / "qdq.onnx"
    path.write_bytes(qdq_model(quantised).SerializeToString())
    theirs = by_onnxruntime(path, x[24:])
    for result in (theirs, run_qdq(quantised, {"x": x[24:]})):
        assert 10 * np.log10(wanted.var() / np.mean((result - wanted) ** 2)) > 25
    assert integerise(read(path)).origin.format == "onnx-qdq"


def test_equalising_changes_no_result(made) -> None:
    found, _ = made
    x = {"x": samples(8, 5)}
    for strength in (0.0, 1.0):
        even = equalise(found, gather(found, x, 0).channels, activations=strength)
        assert np.allclose(output(even, x), output(found, x), atol=1e-4)


def test_rounding_in_view_of_the_output_beats_rounding_to_nearest() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(0, 1, (2, 20, 500)) + random.normal(0, 2, (2, 1, 500))
    moments = inputs @ inputs.transpose(0, 2, 1) / 500
    weights, allowed = random.normal(0, 1, (2, 6, 20)), Range(lo=-7, hi=7)
    ours = compensated(weights, moments, 0.4, allowed)
    plain = nearest(weights, 0.4, allowed)
    assert np.array_equal(ours, np.clip(np.rint(ours), -7, 7))
    assert error(ours * 0.4 - weights, moments) < 0.5 * error(plain * 0.4 - weights, moments)


@pytest.mark.parametrize(
    ("bias", "kept"),
    [
        (1000.0, 1000.0),
        (-(2.0**25), -(2.0**24) + 1 + 128 * 9 * 127),
        (2.0**25, 2.0**24 - 1 - 128 * 9 * 127),
    ],
)
def test_a_bias_too_large_for_float32_goes_where_the_result_is_the_same(bias, kept) -> None:
    weights = np.full((1, 1, 3, 3), 127, np.float32)
    step = Step(shift=8, lo=0, hi=127)
    assert bounded_bias(weights, np.array([bias]), step, SCHEME) == [kept]


def test_sums_past_what_float32_holds_are_refused() -> None:
    wide = np.full((1, 1200), 127, np.float32)
    step = Step(shift=8, lo=0, hi=127)
    assert bounded_bias(wide, np.zeros(1), step, SCHEME) is None
    heavy = np.full((1, 1000), 127, np.float32)
    assert (
        bounded_bias(heavy, np.array([-(2.0**23)]), Step(shift=18, lo=-128, hi=127), SCHEME) is None
    )


def test_channels_that_never_change_are_no_obstacle(tmp_path) -> None:
    net = FloatNet(tmp_path)
    first = net.conv("x", 3, 8)
    net.nodes[-1].input[1] = net.const(np.zeros((8, 3, 3, 3)))
    found = network(net.save(net.conv(net.op("Relu", first), 8, 4)))
    made = quantise_qdq(found, {"x": samples(8, 0)})
    wanted = output(found, {"x": samples(8, 1)})
    assert np.allclose(run_qdq(made, {"x": samples(8, 1)}), wanted, atol=0.1)


def test_wide_layers_get_smaller_weights_rather_than_sums_that_round(tmp_path) -> None:
    net = FloatNet(tmp_path, shape=(1, 1500))
    net.random = np.random.default_rng(3)
    weights = np.sign(net.random.normal(0, 1, (1500, 4)))
    found = network(net.save(net.op("MatMul", "x", net.const(weights))))
    x = np.random.default_rng(0).normal(0, 1, (16, 1500)).astype("f4")
    integers = quantise(found, checked({"x": x}, "x"), SCHEME).integers
    (layer,) = integers.network.layers
    assert worst_sum(layer.op, -128, 127) < EXACT_IN_FLOAT


def test_an_output_that_never_varies_and_is_met_exactly_has_no_noise() -> None:
    wanted = np.full((4, 3), 0.5, dtype=np.float32)
    assert sqnr_db(wanted, 0.0) > 200


def test_the_mean_is_signal_as_it_is_to_verify() -> None:
    wanted = np.array([[3.0, 4.0]], dtype=np.float32)
    assert sqnr_db(wanted, 0.125) == pytest.approx(20)
    tally = Tally(
        tensor=Tensor(name="t", shape=(1, 2), dtype=DType.INT8),
        meaning=Meaning(step=np.array([0.5])),
        channels_last=False,
        same=False,
        carried=False,
    )
    assert tally.add(np.array([[7, 8]], np.int8), Shown(array=wanted))
    assert tally.sqnr_db == pytest.approx(sqnr_db(wanted, 0.125))
