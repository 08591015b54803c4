"""Files that are cut off, altered or made of nonsense."""

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from htvm.errors import HtvmError, UsageError
from htvm.frontend.source import Source
from htvm.frontend.tflite import integerise


def source(data: bytes) -> Source:
    digest = hashlib.sha256(data).hexdigest()
    return Source(path=Path("net.tflite"), format="tflite", data=data, sha256=digest)


@pytest.fixture
def network(file):
    generator = np.random.default_rng(0)
    file.inputs = [file.tensor("x", (1, 8, 8, 3), 0.1, -1)]
    weights = generator.integers(-9, 9, (4, 3, 3, 3), dtype=np.int8)
    file.constant("w", weights, [0.01, 0.02, 0.03, 0.04])
    file.constant("b", np.arange(4, dtype=np.int32), [0.001] * 4)
    file.tensor("c", (1, 8, 8, 4), 0.2, 3)
    file.op("CONV_2D", ["x", "w", "b"], ["c"], StrideW=1, StrideH=1)
    file.constant("axes", np.int32([1, 2]))
    file.tensor("m", (1, 4), 0.2, 3)
    file.op("MEAN", ["c", "axes"], ["m"])
    file.outputs = [file.tensor("y", (1, 4), 1 / 256, -128)]
    file.op("SOFTMAX", ["m"], ["y"], Beta=1.0)
    return file.data()


def test_the_whole_file_is_taken(network):
    assert integerise(source(network)).outputs == ("y",)


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_file_cut_off_is_damaged(network, fraction):
    with pytest.raises(UsageError) as caught:
        integerise(source(network[: int(len(network) * fraction)]))
    assert caught.value.code == "E103"


def test_another_identifier_is_named(network):
    with pytest.raises(UsageError) as caught:
        integerise(source(network[:4] + b"TFL9" + network[8:]))
    assert "TFL9" in caught.value.seen


def test_no_alteration_escapes_as_another_error(network):
    """Whatever a byte or an offset is changed to, the file is taken or refused in words."""
    generator = np.random.default_rng(0)
    refused = 0
    for _ in range(1500):
        data = bytearray(network)
        for _ in range(int(generator.integers(1, 4))):
            position = int(generator.integers(0, len(data) - 4))
            if generator.random() < 0.5:
                data[position] = int(generator.integers(256))
            else:
                value = int(generator.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**31, 77]))
                data[position : position + 4] = struct.pack("<I", value)
        try:
            integerise(source(bytes(data)))
        except HtvmError as error:
            refused += 1
            assert error.seen
            assert error.hint
    assert refused > 100


def test_bytes_that_do_not_fill_the_shape_are_damage(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1)]
    file.tensor("w", (3, 4), 0.1, data=np.zeros(11, np.int8))
    file.outputs = [file.tensor("y", (1, 3), 0.1)]
    file.op("FULLY_CONNECTED", ["x", "w", ""], ["y"])
    with pytest.raises(UsageError, match="damaged") as caught:
        integerise(file.source())
    assert "11 bytes" in caught.value.seen


def test_a_buffer_number_out_of_range_is_damage(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1, buffer=99)]
    file.outputs = [file.tensor("y", (1, 4), 0.1)]
    file.op("RELU", ["x"], ["y"])
    with pytest.raises(UsageError) as caught:
        integerise(file.source())
    assert caught.value.seen == "buffer 99 of 1"


@pytest.mark.parametrize(
    ("shape", "code"),
    [((1, 50000, 50000, 3), "E206"), ((1, 0, 4), "E207"), ((1, -5, 4), "E103")],
)
def test_impossible_shapes_are_refused(file, shape, code):
    file.inputs = [file.tensor("x", shape, 0.1)]
    file.outputs = [file.tensor("y", shape, 0.1)]
    file.op("RELU", ["x"], ["y"])
    with pytest.raises(HtvmError) as caught:
        integerise(file.source())
    assert caught.value.code == code


def test_a_declared_shape_that_does_not_follow_is_refused(file):
    file.inputs = [file.tensor("x", (1, 4), 0.1)]
    file.outputs = [file.tensor("y", (1, 5), 0.1)]
    file.op("RELU", ["x"], ["y"])
    with pytest.raises(HtvmError) as caught:
        integerise(file.source())
    assert caught.value.code == "E207"
    assert "[1, 5]" in caught.value.seen
