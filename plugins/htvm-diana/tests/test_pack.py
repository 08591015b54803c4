import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm_diana import pack, packing

SIZES = st.integers(1, 40)
KERNELS = st.sampled_from([1, 3, 5, 7])
SEEDS = st.integers(0, 2**16)


def drawn(seed, shape, outputs):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, shape).astype(np.int8)
    return weights, rng.integers(-(2**31), 2**31, outputs).astype(np.int32)


def words(*rows):
    """Bytes from words written as the host sees them, in hexadecimal."""
    return np.frombuffer(bytes.fromhex("".join(rows)), np.uint8)


def zeros(count):
    return "00000000" * count


def test_a_word_is_read_the_other_way_round():
    assert pack.reverse_words(words("01020304", "05060708")).tobytes().hex() == "0403020108070605"


def test_convolution_bytes_by_hand():
    weights = np.array([1, 2], np.int8).reshape(2, 1, 1, 1)
    bias = np.array([0x01020304, -1], np.int32)
    expected = words(
        "00000201", zeros(3), "0000ff04", zeros(3), "0000ff03", zeros(3), "0000ff02", zeros(3)
    )
    expected = np.concatenate([expected, words("0000ff01", zeros(3))])
    assert pack.pack_conv2d(weights, bias).tobytes() == expected.tobytes()


def test_taps_of_one_channel_come_before_the_next_channel():
    weights = np.zeros((1, 2, 1, 3), np.int8)
    weights[0] = [[[1, 2, 3]], [[4, 5, 6]]]
    data = pack.reverse_words(pack.pack_conv2d(weights, np.zeros(1, np.int32)))
    assert data[:96:16].tolist() == [1, 2, 3, 4, 5, 6]


def test_the_bias_follows_every_block_of_16_channels():
    bias = np.arange(20, dtype=np.int32)
    data = pack.reverse_words(pack.pack_conv2d(np.zeros((20, 3, 1, 1), np.int8), bias))
    block = pack.conv2d_block_bytes(3, (1, 1))
    assert block == 3 * 16 + 64
    assert data[48 : 48 + 16].tolist() == list(range(16))
    assert data[block + 48 : block + 48 + 16].tolist() == [16, 17, 18, 19] + [0] * 12


def test_depthwise_bytes_by_hand():
    weights = np.array([7, -1], np.int8).reshape(2, 1, 1)
    data = pack.pack_depthwise(weights, np.array([5, 6], np.int32))
    expected = words("00000007", "000000ff", zeros(2), "00000005", "00000006", zeros(14))
    assert data.tobytes() == expected.tobytes()


def test_dense_bytes_by_hand():
    data = pack.pack_dense(np.array([[5, 6]], np.int8), np.array([-2], np.int32))
    expected = words("00000605", zeros(63), "fffffffe", "ffffffff" * 3, zeros(60))
    assert data.tobytes() == expected.tobytes()


def test_diagonal_blocks_hold_their_own_channels_only():
    weights, bias = drawn(0, (20, 1, 3, 3), 20)
    data = packing.diagonal(weights, bias)
    block = pack.conv2d_block_bytes(16, (3, 3))
    assert data.size == block + pack.conv2d_block_bytes(4, (3, 3))
    first, _ = pack.unpack_conv2d(data[:block], (16, 16, 3, 3))
    last, last_bias = pack.unpack_conv2d(data[block:], (4, 4, 3, 3))
    assert np.array_equal(first[np.arange(16), np.arange(16)], weights[:16, 0])
    assert not first[~np.eye(16, dtype=bool)].any()
    assert np.array_equal(last[np.arange(4), np.arange(4)], weights[16:, 0])
    assert np.array_equal(last_bias, bias[16:])


@settings(derandomize=True, max_examples=40, deadline=None)
@given(SEEDS, SIZES, SIZES, KERNELS, KERNELS)
def test_convolution_round_trip(seed, outputs, channels, rows, columns):
    shape = (outputs, channels, rows, columns)
    weights, bias = drawn(seed, shape, outputs)
    data = pack.pack_conv2d(weights, bias)
    assert data.size == -(-outputs // 16) * pack.conv2d_block_bytes(channels, (rows, columns))
    same = pack.unpack_conv2d(data, shape)
    assert np.array_equal(same[0], weights)
    assert np.array_equal(same[1], bias)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(SEEDS, SIZES, KERNELS, KERNELS)
def test_depthwise_round_trip(seed, channels, rows, columns):
    weights, bias = drawn(seed, (channels, rows, columns), channels)
    data = pack.pack_depthwise(weights, bias)
    assert data.size == -(-channels // 4) * pack.depthwise_block_bytes((rows, columns))
    same = pack.unpack_depthwise(data, weights.shape)
    assert np.array_equal(same[0], weights)
    assert np.array_equal(same[1], bias)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(SEEDS, SIZES, SIZES)
def test_dense_round_trip(seed, outputs, channels):
    weights, bias = drawn(seed, (outputs, channels), outputs)
    data = pack.pack_dense(weights, bias)
    assert data.size == -(-outputs // 16) * pack.dense_block_bytes(channels)
    same = pack.unpack_dense(data, weights.shape)
    assert np.array_equal(same[0], weights)
    assert np.array_equal(same[1], bias)


@pytest.mark.parametrize("start", [0, 16, 32])
def test_weights_of_a_tile_of_outputs_are_contiguous(start):
    weights, bias = drawn(1, (48, 5, 3, 1), 48)
    block = pack.conv2d_block_bytes(5, (3, 1))
    part = pack.pack_conv2d(weights[start : start + 16], bias[start : start + 16])
    whole = pack.pack_conv2d(weights, bias)
    assert np.array_equal(whole[start // 16 * block :][:block], part)
