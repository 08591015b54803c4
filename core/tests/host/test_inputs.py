"""What the numbers in a file of samples are taken for."""

from dataclasses import replace

import numpy as np
import pytest
from networks import Builder

from htvm.errors import UsageError
from htvm.host.inputs import InputSpec, load_inputs
from htvm.host.values import Port, doubts, port_of, read_numbers
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.tensor import Quantization

KNOWN = Port(name="x", dtype=DType.INT8, quantization=Quantization(scale=(0.5,), zero_point=-28))
UNKNOWN = Port(name="x", dtype=DType.INT8)
ROUNDED = Port(name="x", dtype=DType.FLOAT32, grid=(-50.0, 77.5))


def own(values, port, **options):
    return read_numbers(np.asarray(values), port, **options).own.tolist()


def test_the_inputs_own_type_is_taken_as_it_is():
    for port in (KNOWN, UNKNOWN):
        assert own(np.array([-128, 5, 127], np.int8), port) == [-128, 5, 127]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64])
def test_any_other_type_is_real_where_the_scale_is_known(dtype):
    reading = read_numbers(np.array([0, 10, 77], dtype), KNOWN)
    assert reading.own.tolist() == [-28, -8, 126]
    assert reading.own.dtype == np.int8
    assert reading.taken == "real values"


def test_real_values_saturate_and_round_halves_to_even():
    assert own([1e9, -1e9, 0.25, 0.75], KNOWN) == [127, -128, -28, -26]


def test_whole_numbers_where_no_scale_is_known():
    assert own(np.array([3.0, -4.0]), UNKNOWN) == [3, -4]
    for bad in ([128.0], [0.5]):
        with pytest.raises(UsageError) as caught:
            own(bad, UNKNOWN)
        assert caught.value.code == "E128"


def test_options_bring_samples_to_the_networks_own_numbers():
    pixels = np.array([0, 255], np.uint8)
    assert own(pixels, KNOWN, offset=-128.0) == [-128, 127]
    with pytest.raises(UsageError) as caught:
        own(pixels, KNOWN, scale=2.0)
    assert "leave out" in caught.value.hint


@pytest.mark.parametrize("port", [KNOWN, ROUNDED])
@pytest.mark.parametrize(
    ("factor", "doubtful"), [(1.0, False), (100.0, True), (0.01, True)], ids=["fit", "far", "near"]
)
def test_doubts_go_by_how_the_samples_fill_the_range(port, factor, doubtful):
    values = np.linspace(-49, 77, 200, dtype=np.float32) * np.float32(factor)
    told = doubts(read_numbers(values, port), port)
    assert bool(told) is doubtful
    assert all("--input-scale" in text for text in told)


def test_the_range_of_a_float_input_is_that_of_the_quantize_behind_it():
    net = Builder()
    x = net.input("x", (1, 4, 4, 2), DType.FLOAT32)
    x = net.transpose(x, (0, 3, 1, 2), "moved")
    op = ops.Quantize(
        scale=np.array([0.5], np.float32), zero_point=-28, out=DType.INT8, lo=-128, hi=127
    )
    x = net.add(op, [x], (1, 2, 4, 4), DType.INT8, name="q")
    assert port_of(net.graph(net.clip(x, "end")), "x").grid == ROUNDED.grid


def test_a_network_quantised_in_this_run_gets_what_its_source_would(tmp_path):
    net = Builder()
    x = net.input("x", (1, 2))
    net.tensors["x"] = replace(net.tensors["x"], quantization=Quantization(scale=(2.0,)))
    graph = net.graph(net.clip(x, "end"))
    np.save(tmp_path / "s.npy", np.array([[0, 72]], np.int8))
    found = load_inputs(InputSpec(path=str(tmp_path / "s.npy")), graph, {"x": KNOWN})
    assert found.source["x"].tolist() == [[0, 72]]
    assert found.reals["x"].tolist() == [[14.0, 50.0]]
    assert found.arrays["x"].tolist() == [[7, 25]]
