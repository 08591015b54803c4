"""Networks that are well formed but cannot be taken."""

import numpy as np
import pytest

from htvm.errors import UnsupportedModelError, UsageError
from htvm.frontend.tflite import integerise

POOL = {"StrideW": 1, "StrideH": 1, "FilterWidth": 2, "FilterHeight": 2}


def refused(file, **shapes):
    with pytest.raises(UnsupportedModelError) as caught:
        integerise(file.source(**shapes))
    error = caught.value
    assert error.seen
    assert error.accepted
    assert error.hint
    return error


def chain(file, kind, *, shape=(1, 4), types=("INT8", "INT8"), result=None, **options):
    """One op from x to y."""
    scale = {"FLOAT32": None}
    file.inputs = [file.tensor("x", shape, scale.get(types[0], 0.1), type=types[0])]
    file.outputs = [file.tensor("y", result or shape, scale.get(types[1], 0.1), type=types[1])]
    file.op(kind, ["x"], ["y"], **options)


def test_an_unknown_op_names_itself_and_the_known_ones(file):
    chain(file, "COS")
    error = refused(file)
    assert error.code == "E202"
    assert "'y'" in error.message
    assert error.seen == "COS"
    assert "CONV_2D" in error.accepted


def test_a_float_network_is_told_to_be_quantised_first(file):
    chain(file, "RELU", types=("FLOAT32", "FLOAT32"))
    error = refused(file)
    assert error.code == "E201"
    assert "htvm quantize" in error.hint


def test_a_hybrid_network_is_called_so(file):
    file.inputs = [file.tensor("x", (1, 4), type="FLOAT32")]
    file.constant("w", np.zeros((3, 4), np.int8), 0.1)
    file.outputs = [file.tensor("y", (1, 3), type="FLOAT32")]
    file.op("FULLY_CONNECTED", ["x", "w", ""], ["y"])
    assert "hybrid" in refused(file).seen


def test_a_float_function_between_integers_is_refused(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1)]
    file.tensor("f", (1, 4), type="FLOAT32")
    file.tensor("g", (1, 4), type="FLOAT32")
    file.outputs = [file.tensor("y", (1, 4), 0.1)]
    file.op("DEQUANTIZE", ["x"], ["f"])
    file.op("HARD_SWISH", ["f"], ["g"])
    file.op("QUANTIZE", ["g"], ["y"])
    error = refused(file)
    assert "FLOAT32" in error.seen
    assert error.accepted == "INT8 activations"


def test_int16_activations_are_refused(file):
    chain(file, "RELU", types=("INT16", "INT16"))
    assert "INT16" in refused(file).seen


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_scales_must_be_positive_numbers(file, scale):
    file.inputs = [file.tensor("x", (1, 4), scale)]
    file.outputs = [file.tensor("y", (1, 4), 0.1)]
    file.op("RELU", ["x"], ["y"])
    assert refused(file).code == "E205"


def test_zero_points_must_fit_the_type(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1, 200)]
    file.outputs = [file.tensor("y", (1, 4), 0.1)]
    file.op("RELU", ["x"], ["y"])
    assert refused(file).seen == "zero point 200"


@pytest.mark.parametrize(
    ("kind", "options", "seen"),
    [
        ("LOGISTIC", {}, "scale 0.1"),
        ("SOFTMAX", {"Beta": 1.0}, "scale 0.1"),
        ("ADD", {}, "1 operands"),
        ("RESHAPE", {}, ""),
        ("MAX_POOL_2D", POOL, "[1, 4]"),
    ],
)
def test_uses_outside_the_contract_are_refused(file, kind, options, seen):
    result = (1, 5) if kind == "RESHAPE" else None
    chain(file, kind, result=result, **options)
    assert seen in refused(file).seen


def test_several_images_at_once_are_refused(file):
    chain(file, "MAX_POOL_2D", shape=(2, 4, 4, 1), **POOL)
    assert "[2, 4, 4, 1]" in refused(file).seen


def test_joining_different_scales_is_refused(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1), file.tensor("z", (1, 4), 0.2)]
    file.outputs = [file.tensor("y", (1, 8), 0.1)]
    file.op("CONCATENATION", ["x", "z"], ["y"], Axis=1)
    assert "2 different scales" in refused(file).seen


def test_computed_weights_are_refused(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1), file.tensor("w", (3, 4), 0.1)]
    file.outputs = [file.tensor("y", (1, 3), 0.1)]
    file.op("FULLY_CONNECTED", ["x", "w", ""], ["y"])
    assert "computed" in refused(file).seen


def test_an_output_nothing_computes_is_refused(file):
    chain(file, "RELU")
    file.outputs = ["x"]
    assert refused(file).code == "E207"


def test_a_dynamic_extent_asks_for_a_shape(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1, signature=(1, -1))]
    file.outputs = [file.tensor("y", (1, 4), 0.1, signature=(1, -1))]
    file.op("RELU", ["x"], ["y"])
    assert refused(file).code == "E204"
    assert integerise(file.source(x=(1, 7))).tensors["y"].shape == (1, 7)


@pytest.mark.parametrize("shapes", [{"x": (1, 4, 4)}, {"x": (1, 0)}, {"nobody": (1, 4)}])
def test_shapes_given_must_fit_an_input(file, shapes):
    chain(file, "RELU")
    with pytest.raises(UsageError) as caught:
        integerise(file.source(**shapes))
    assert caught.value.code == "E104"
